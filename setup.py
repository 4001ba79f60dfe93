"""The packages of a wheel: those of src/, and conf/ as metastruct/conf, so that an installed copy has its yamls."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages("src"), "metastruct.conf"],
    package_dir={"": "src", "metastruct.conf": "conf"},
    package_data={"metastruct": ["py.typed"], "metastruct.conf": ["*.yaml", "*/*.yaml"]},
)
