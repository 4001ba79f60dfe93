"""The packages of a wheel.

Those of src/; conf/ as metastruct/conf, so that an installed MetaStruct has its yamls; and the contract tests as
metastruct/contracts, which `metastruct check` runs on pieces of other people.
"""

from setuptools import find_namespace_packages, setup

CONF, CONTRACTS = "metastruct.conf", "metastruct.contracts"

setup(
    packages=[*find_namespace_packages("src"), CONF, CONTRACTS],
    package_dir={"": "src", CONF: "conf", CONTRACTS: "tests"},
    package_data={"metastruct": ["py.typed"], CONF: ["*.yaml", "*/*.yaml"], CONTRACTS: ["contracts/*.py"]},
)
