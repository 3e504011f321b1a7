"""Reads a JUnit file with a library, and validates it against the schema of Jenkins' xUnit plugin.
The schema comes with the sources of pytest."""

import pathlib
import subprocess
import sys
import tarfile

import xmlschema
from junitparser import JUnitXml

folder = pathlib.Path(sys.argv[2])
name, version = "pytest", "9.2.0"
source = folder / f"{name}-{version}.tar.gz"
if not source.exists():
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run(download + ["--no-binary", name, f"{name}=={version}"], check=True)
with tarfile.open(source) as archive:
    schema = archive.extractfile(f"{name}-{version}/testing/example_scripts/junit-10.xsd").read()
xmlschema.XMLSchema(schema.decode()).validate(sys.argv[1])

for suite in JUnitXml.fromfile(sys.argv[1]):
    for case in suite:
        failures = [failure.message + "\n" + failure.text for failure in case.result]
        print(case.classname, case.name, *failures)
    print(suite.tests, suite.failures, suite.errors)
