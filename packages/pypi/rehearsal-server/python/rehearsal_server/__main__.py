"""`python -m rehearsal_server` is `rehearsal`."""

from __future__ import annotations

import os
import subprocess
import sys

from . import ProgramError, find_program


def main() -> int:
    """Run the program with the arguments of this process, if possible in its place."""
    try:
        program = find_program()
        if os.name == "posix":
            os.execv(program, [program, *sys.argv[1:]])
        return subprocess.run([program, *sys.argv[1:]], check=False).returncode
    except (ProgramError, OSError) as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
