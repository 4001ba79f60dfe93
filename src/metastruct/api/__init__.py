"""The Python interface: numpy in, numpy out, no Hydra.

family = metastruct.Family.from_frame(frame, states=["q", "p"])  # or from_arrays, from_files
model = metastruct.fit(family, dynamics="hamiltonian", modulation="svd", rank=5)

model = metastruct.load("outputs/pendulum-svd5-seed0-1a2b3c4d")
member = model.adapt(states, dxdt)            # observations of one new member
member.vector_field(x), member.energy(x), member.entropy(x), member.rollout(x0, times)
field, std = member.vector_field(x, std=True)  # with the standard deviation of its error
members = model.adapt_many([(states, dxdt), ...])  # thousands, of any sizes, in batched fits
member.labels()                               # what its code says of labels that training members have
model = metastruct.extend(model, family)      # more members, without starting again
larger = metastruct.resize(model, oscillators=64)  # the law of 8 of them for 64, where the energy is a sum of terms
"""

from metastruct.api.extending import extend
from metastruct.api.fitting import fit
from metastruct.api.loading import load, load_member, load_members
from metastruct.api.member import Member
from metastruct.api.members import Members
from metastruct.api.model import Model
from metastruct.api.resizing import resize
from metastruct.data.family import Family

__all__ = ["Family", "Member", "Members", "Model", "extend", "fit", "load", "load_member", "load_members", "resize"]
