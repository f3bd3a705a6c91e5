"""How csrc/vmem.h is divided: what differs between systems is in the block of each system, and nowhere else."""

import re
from collections.abc import Iterator

import pytest

from tests.header.builds import HEADER

# The sections in their order, and the macros that conditions in them may name. Where systems are told apart, that list
# holds for the macros that name systems, and any other may be named too.
SECTIONS: dict[str, set[str]] = {
    "config": {"VMEM_API", "__cplusplus"},
    "types": {"__cplusplus"},
    "api": {"__cplusplus", "VMEM_IMPLEMENTATION", "VMEM_IMPLEMENTATION_DONE", "VMEM_FAIL"}
    | {"VMEM_DEBUG", "VMEM_DEBUG_PRINT"},
    "system": {"_WIN32", "__linux__", "__APPLE__", "__unix__"}
    | {f"VMEM__{name}" for name in ("WINDOWS", "LINUX", "MACOS", "BSD", "POSIX")},
    "helpers": {"VMEM__WINDOWS", "VMEM__POSIX"},
    "os contract": set(),
    "os windows": {"VMEM__WINDOWS"},
    "os posix common": {"VMEM__POSIX"},
    "os linux": {"VMEM__LINUX", "__ANDROID__"},
    "os macos": {"VMEM__MACOS"},
    "os bsd": {"VMEM__BSD", "__FreeBSD__", "__NetBSD__", "__OpenBSD__"},
    "os unsupported": {"VMEM__WINDOWS", "VMEM__POSIX"},
    "validation": set(),
    "public": {"VMEM_DEBUG"},
    "debug": {"VMEM_DEBUG", "__cplusplus"},
}
NOT_ABOUT_SYSTEMS = ("config", "types", "api", "os contract", "validation", "public", "debug")

SYSTEM_MACRO = re.compile(
    r"VMEM__(WINDOWS|POSIX|LINUX|MACOS|BSD)"
    r"|_*(WIN32|WIN64|CYGWIN|MINGW32|MINGW64|linux|ANDROID|APPLE|MACH|unix|\w+BSD|DragonFly|sun|HAIKU|wasi)(__)?"
)


def read_sections(text: str) -> dict[str, str]:
    """The text of each section by its tag, without what is above the first tag."""
    _, *parts = re.split(r"^// >>([a-z ]+?) -+$", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def list_conditions(text: str) -> list[str]:
    """The conditions of #if, #ifdef, #ifndef and #elif."""
    text = text.replace("\\\n", " ")
    return re.findall(r"^[ \t]*#[ \t]*(?:el)?if(?:n?def)?\b[ \t]*(.*)", text, re.MULTILINE)


def list_misplaced(text: str) -> Iterator[tuple[str, str]]:
    """Each macro in a condition that does not belong into its section, after the name of the section."""
    for section, body in read_sections(text).items():
        for name in re.findall(r"\b[A-Za-z_]\w+", " ".join(list_conditions(body))):
            if name == "defined":
                continue
            is_free = section not in NOT_ABOUT_SYSTEMS and not SYSTEM_MACRO.fullmatch(name)
            if not is_free and name not in SECTIONS[section]:
                yield section, name


def list_in_functions(text: str) -> Iterator[tuple[str, str]]:
    """Each condition in the body of a function, after the name of the function."""
    functions = re.compile(
        r"^(?:static|VMEM_API|VMEM__PUBLIC)\b[^;{]*?(\w+)\([^;{]*\) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE
    )
    for name, body in functions.findall(text):
        yield from ((name, condition) for condition in list_conditions(body))


@pytest.fixture(scope="module")
def text() -> str:
    return HEADER.read_text(encoding="utf-8")


def insert_after(text: str, pattern: str, inserted: str) -> str:
    """The text with something more on the line after the first match."""
    match = re.search(pattern, text)
    assert match
    return f"{text[: match.end()]}\n{inserted}\n{text[match.end() :]}"


def test_sections(text: str) -> None:
    assert list(read_sections(text)) == list(SECTIONS)
    manual = re.sub(r"\s+", " ", text.partition("*/")[0].partition("\nSECTIONS\n")[2])
    assert re.findall(r">>([a-z ]+)[,.]", manual) == list(SECTIONS)


def test_systems_are_told_apart_in_their_blocks_only(text: str) -> None:
    assert list(list_misplaced(text)) == []


def test_no_conditions_in_functions(text: str) -> None:
    assert list(list_in_functions(text)) == []


@pytest.mark.parametrize(
    ("section", "macro"),
    [("types", "_WIN32"), ("os windows", "__linux__"), ("os posix common", "__NetBSD__"), ("public", "VMEM__LINUX")],
)
@pytest.mark.parametrize("condition", ["#if defined({})", "#ifdef {}", "#elif 1 || \\\n    defined({})"])
def test_misplaced_conditions_are_found(condition: str, section: str, macro: str, text: str) -> None:
    wrong = insert_after(text, rf"// >>{section} -+", condition.format(macro))
    assert list(list_misplaced(wrong)) == [(section, macro)]


@pytest.mark.parametrize("function", ["vmem__os_query", "vmem_reserve", "vmem__posix_count_resident"])
def test_conditions_in_functions_are_found(function: str, text: str) -> None:
    wrong = insert_after(text, rf"\b{function}\([^;{{]*\) \{{", "#if defined(ANYTHING)\n#endif")
    assert list(list_in_functions(wrong)) == [(function, "defined(ANYTHING)")]
