"""How much the tests assert, at commits, so that none of it is lost unseen.

python .ci/count_assertions.py [COMMIT ...]     without one, as files are now
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sources(commit):
    """The text of each test file."""
    if commit is None:
        for path in sorted(ROOT.glob("tests/**/*.py")):
            yield path.read_text()
        return
    names = git("ls-tree", "-r", "--name-only", commit, "tests")
    for name in names.splitlines():
        if name.endswith(".py"):
            yield git("show", f"{commit}:{name}")


def git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout


def kind(node):
    """What a node asserts by, or `None`."""
    if isinstance(node, ast.Assert):
        return "assert"
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
        return "test functions"
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name == "pytest.raises":
            return name
        if name.startswith("np.testing.assert_"):
            return "np.testing.assert_*"
    return None


def main():
    for commit in sys.argv[1:] or [None]:
        names = "assert", "pytest.raises", "np.testing.assert_*"
        counts = dict.fromkeys((*names, "test functions"), 0)
        for source in sources(commit):
            for node in ast.walk(ast.parse(source)):
                if found := kind(node):
                    counts[found] += 1
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        print(f"{commit or 'now'}: {told}")


if __name__ == "__main__":
    main()
