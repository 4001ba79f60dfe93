#!/usr/bin/env bash
# A SLURM of one node on this machine, for tests/end_to_end/test_slurm.py; as root, without systemd and accounting.
#   apt-get install -y --no-install-recommends slurm-wlm munge && tests/slurm_localhost.sh [FOLDER]
# Two terminals stand in for two GPUs. `tests/slurm_localhost.sh stop` ends it.
set -euo pipefail
if [ "${1:-}" = stop ]; then
  scontrol shutdown
  exit
fi
folder=$(realpath -m "${1:-${TMPDIR:-/tmp}/metastruct-slurm}")
node=$(hostname -s)
mkdir -p "$folder"/{state,spool,log}

if ! munge -n </dev/null 2>/dev/null | unmunge >/dev/null 2>&1; then
  [ -s /etc/munge/munge.key ] || head -c 1024 /dev/urandom >/etc/munge/munge.key
  chown munge: /etc/munge/munge.key && chmod 400 /etc/munge/munge.key
  for place in /run/munge:755 /var/log/munge:700 /var/lib/munge:700; do
    install -d -o munge -g munge -m "${place#*:}" "${place%:*}"
  done
  runuser -u munge -- /usr/sbin/munged
fi

printf 'NodeName=%s Name=gpu File=/dev/tty[0-1]\n' "$node" >"$folder/gres.conf"
cat >"$folder/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
# A job that is requeued waits until its credential has expired: two minutes by default.
AuthInfo=cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 - 512)) Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
ln -sfn "$folder/slurm.conf" /etc/slurm/slurm.conf
ln -sfn "$folder/gres.conf" /etc/slurm/gres.conf
slurmctld -c
slurmd
for _ in $(seq 60); do
  sinfo -h -o %t 2>/dev/null | grep -q idle && break
  sleep 0.5
done
sinfo
