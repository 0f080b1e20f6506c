"""Programs of packaging/, which is a folder of scripts and no package: loaded as they are run."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PACKAGING = Path(__file__).parents[2] / "packaging"


def load(path: str) -> ModuleType:
    """Return a script below packaging/, with its neighbours to be imported as when it is run."""
    file = PACKAGING / path
    spec = importlib.util.spec_from_file_location(f"recipe_{file.parent.name}_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for the module that they are in
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module
