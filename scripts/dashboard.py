"""Push the W&B workspace, or write its spec where there is no account: python scripts/dashboard.py

Pushed where an API key is found (WANDB_API_KEY, or `wandb login`), unless WANDB_MODE=offline. The spec is written in
either case. Pushing again updates the same view.
"""

from __future__ import annotations

import os
import sys

from omegaconf import OmegaConf

from metastruct.config.facts import CONF
from metastruct.running.tracking.account import check_word, has_key
from metastruct.runs.arguments import Flags, placed

OUTPUT = CONF.parent / "outputs" / "dashboard.json"


def main() -> None:
    """Write or push; a mistake is told in one line."""
    parser = Flags(__doc__)
    parser.add_argument("--project", help="of Weights & Biases; by default that of conf/logger/wandb.yaml")
    parser.add_argument("--entity", default=os.environ.get("WANDB_ENTITY", ""), help="user or team; by default yours")
    parser.add_argument("--output", type=placed(False), default=OUTPUT, help="where the spec goes")
    options = parser.parse_args()
    project = options.project or str(OmegaConf.load(CONF / "logger" / "wandb.yaml").project)
    try:
        for name, word in {"--project": project, "--entity": options.entity or "mine"}.items():
            check_word(name, word)
    except ValueError as error:
        sys.exit(f"error: {error}")
    mode = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
    if mode == "online" and not has_key():
        sys.exit("error: WANDB_MODE=online needs an API key in WANDB_API_KEY; set the key or use WANDB_MODE=offline")
    try:
        from metastruct.running.tracking.dashboard import dashboard, push, write
    except ImportError:
        sys.exit('error: the dashboard needs wandb-workspaces; pip install -e ".[dashboard]" -c constraints.txt')
    if mode != "online":
        try:
            write(dashboard(project, options.entity), options.output)
        except OSError as error:
            sys.exit(f"error: the spec cannot be written; {error}")
        print(f"offline: the spec of the workspace is in {options.output}; with an API key this command pushes it")
        return

    import wandb

    try:
        entity = options.entity or str(wandb.Api().default_entity)
        print(f"pushed: {push(dashboard(project, entity), options.output)}")
    except Exception as error:  # whatever the server or the network says
        sys.exit(f"error: the workspace was not pushed; {type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
