"""The element and the hooks have types in React 18 and 19, Vue and Svelte, as the type checkers of each see them."""

import json
import re

import pytest

from tests.npm.conftest import FOLDER, WEB, MakeProject, run

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

README = (WEB / "README.md").read_text("utf-8")
OPTIONS = {
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noEmit": True,
    "skipLibCheck": False,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


def recipe(language: str) -> str:
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(block)


def tsconfig(**options: object) -> str:
    """The options of a user's compiler, which also checks our declarations."""
    return json.dumps({"compilerOptions": {**OPTIONS, **options}, "include": ["*"]})


def files(suffix: str, **options: object) -> dict[str, str]:
    uses = f"User.{suffix}"
    return {
        f"Recipe.{suffix}": recipe(suffix),
        uses: (FOLDER / uses).read_text("utf-8"),
        "tsconfig.json": tsconfig(**options),
    }


@pytest.mark.parametrize("react", [{}, {"react": "react-18", "@types/react": "@types/react-18"}], ids=["19", "18"])
@pytest.mark.parametrize("jsx", ["react-jsx", "preserve"])
def test_react(make_project: MakeProject, react: dict[str, str], jsx: str) -> None:
    """The README's component compiles, and wrong attributes do not."""
    project = make_project(files("tsx", jsx=jsx), react)
    run("node_modules/.bin/tsc", "-p", ".", folder=project)


def test_vue(make_project: MakeProject) -> None:
    """The README's component compiles, and wrong attributes do not."""
    project = make_project(files("vue", jsx="preserve", skipLibCheck=True))
    run("node_modules/.bin/vue-tsc", "-p", ".", folder=project)


def test_svelte(make_project: MakeProject) -> None:
    """The README's component compiles, and wrong attributes do not."""
    project = make_project(files("svelte"))
    check = "node_modules/.bin/svelte-check", "--fail-on-warnings", "--tsconfig", "tsconfig.json"
    run(*check, folder=project)
    wrong = '<script lang="ts"></script><progress-steps session={1}></progress-steps>'
    (project / "Wrong.svelte").write_text(wrong, "utf-8")
    with pytest.raises(AssertionError, match="'number' is not assignable to type 'string'"):
        run(*check, folder=project)
