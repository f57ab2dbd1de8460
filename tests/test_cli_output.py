"""What the command line writes: files before figures, and nothing that a terminal obeys."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deltarule import tabular
from deltarule.cli import main
from deltarule.cli.prediction_files import csv as _csv
from deltarule.modelfile import load_model, save_model
from deltarule.system.markup import visible, visible_lines
from deltarule.training.interruption import signals_heard, signals_raised

QUICK = ["--epochs", "2", "--hidden", "4", "--no-baselines"]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def command(folder, *arguments, **options):
    """The command in a process of its own."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "deltarule", *arguments],
        cwd=folder,
        env=environment,
        check=False,
        **{"stderr": subprocess.PIPE, "text": True, **options},
    )


def write_table(path, m=120):
    random = np.random.default_rng(0)
    x = random.normal(size=m).round(3)
    columns = {"x": x, "store": np.arange(m) % 3, "y": (2 * x + random.normal(0, 0.1, m)).round(3)}
    pl.DataFrame(columns).write_csv(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a table."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "t.csv")
    return tmp_path


# ------------------------------------------------------------------- nothing trained is lost

TRAININGS = {
    "train": ["train", "t.csv", "--target", "y", *QUICK],
    "train --json": ["train", "t.csv", "--target", "y", *QUICK, "--json"],
    "train --cv": ["train", "t.csv", "--target", "y", *QUICK, "--cv", "2"],
    "train --memory": ["train", "t.csv", "--target", "y", *QUICK, "--memory", "1GB"],
    "tune": [
        *("tune", "t.csv", "--target", "y", "--epochs", "1", "--no-baselines"),
        *("--minutes", "5", "--trials", "1"),
    ],
    "train --by": ["train", "t.csv", "--target", "y", "--by", "store", "--epochs", "2"],
}


def saved_in(folder, arguments):
    return folder / "m" / "models.safetensors" if "--by" in arguments else folder / "m"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's own full disk")
@pytest.mark.parametrize("name", TRAININGS)
def test_a_full_disk_behind_the_output_loses_no_model(here, capsys, monkeypatch, name):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([*TRAININGS[name], "--out", "m"]) == 1
    model = saved_in(here, TRAININGS[name])
    assert model.exists()
    assert capsys.readouterr().err.endswith(
        f"Saved before the error: {model.relative_to(here)}\n"
        "error: the output: no space left on device.\n"
    )


def test_a_reader_that_leaves_loses_no_model(here):
    reading, writing = os.pipe()
    os.close(reading)
    done = command(here, *TRAININGS["train"], "--out", "m", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "Saved before the error: m\n")
    assert load_model("m").about["figures"]


def test_a_reader_that_leaves_ends_a_command_that_writes_nothing(here):
    reading, writing = os.pipe()
    os.close(reading)
    done = command(here, "equations", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's own full disk")
def test_a_report_that_cannot_be_written_leaves_the_model(here, capsys):
    assert main([*TRAININGS["train"], "--out", "m", "--report", "/dev/full"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2] == "Saved before the error: m"
    assert lines[-1].startswith("error: /dev/full: cannot be written: no space left on device.")
    assert load_model("m").about["figures"]


def test_an_interruption_after_saving_names_the_file(here, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["deltarule.cli.train"], "say_results", interrupt)
    assert main([*TRAININGS["train"], "--out", "m"]) == 130
    assert capsys.readouterr().err == "error: interrupted; m is saved.\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's own full disk")
def test_warnings_that_nobody_gets_end_nothing(here):
    with open("/dev/full", "w") as full:
        done = command(
            here, *TRAININGS["train"], "--out", "m", stdout=subprocess.DEVNULL, stderr=full
        )
        assert done.returncode == 0
        done = command(here, "predict", "m", "t.csv", "--out", "p.csv", stderr=full)
    assert done.returncode == 0
    assert len(pl.read_csv("p.csv")) == 120


# -------------------------------------------------------------------------------- encodings


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A folder with a model and a table whose names no ASCII has."""
    folder = tmp_path_factory.mktemp("large")
    write_table(folder / "t.csv")
    names = {"x": "höhe", "y": "größe", "store": "面積"}
    pl.read_csv(folder / "t.csv").rename(names).write_csv(folder / "größe.csv")
    arguments = ["train", str(folder / "größe.csv"), "--target", "größe", *QUICK]
    assert main([*arguments, "--out", str(folder / "m")]) == 0
    return folder


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["train", "größe.csv", "--target", "größe", *QUICK, "--report", "r.html"], 0),
        (["train", "größe.csv", "--target", "größe", "--by", "面積", "--epochs", "2"], 0),
        (["tune", "größe.csv", "--target", "größe", *TRAININGS["tune"][4:]], 0),
        (["inspect", "m"], 0),
        (["evaluate", "m", "größe.csv"], 0),
        (["predict", "m", "größe.csv"], 0),
        (["explain", "m", "größe.csv", "--text"], 0),
        (["equations"], 0),
        (["train", "--help"], 0),
        (["train", "größe.csv", "--target", "größ€"], 2),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_what_an_output_cannot_encode_is_escaped(large, monkeypatch, encoding, arguments, status):
    monkeypatch.chdir(large)
    output, error = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", error)
    assert main(arguments) == status
    shown = [stream.buffer.getvalue().decode(encoding) for stream in (output, error)]
    if arguments[0] in ("evaluate", "inspect", "train") and status == 0 and encoding == "ascii":
        assert ("R\\xb2" in shown[0]) is ("--help" not in arguments)
    assert "error: " in shown[1] or status == 0


def test_an_output_of_ascii_is_escaped_in_a_process_too(large):
    done = command(large, "inspect", "m", env=ASCII, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert "R\\xb2" in done.stdout
    assert "h\\xf6he" in done.stdout


def test_json_stays_json_in_any_encoding(large, monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["inspect", str(large / "m"), "--json"]) == 0
    assert json.loads(output.buffer.getvalue())["about"]["roles"]["target"] == ["größe"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_a_name_of_a_file_that_is_no_text_is_refused(here, capsys):
    name = os.fsdecode(b"\xff.csv")
    Path(name).write_bytes(Path("t.csv").read_bytes())
    for memory in ([], ["--memory", "1GB"]):
        assert main(["train", name, "--target", "y", *QUICK, *memory]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: \\udcff.csv: its name is not text in UTF-8;")


# ----------------------------------------------------------------- control characters, markup


def test_control_characters_are_shown_escaped():
    hostile = "a\x1b]52;c;QQ==\x07\x9b2J\x7f\r\n\tb\u2028\u202e\u2066é[red]"
    assert visible(hostile) == (
        "a\\x1b]52;c;QQ==\\x07\\x9b2J\\x7f\\r\\n\\tb\\u2028\\u202e\\u2066é[red]"
    )
    assert visible_lines("a\n\tb\x1b") == "a\n\tb\\x1b"


HOSTILE = "\x1b]52;c;cHduZWQ=\x07\x9b2J\u202e\nerror: none [red]"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder with a table whose names and classes are hostile, and models of it."""
    folder = tmp_path_factory.mktemp("hostile")
    random = np.random.default_rng(0)
    x = random.normal(size=120)
    columns = {
        f"a{HOSTILE}": x,
        f"c{HOSTILE}": np.where(random.normal(size=120) > 0, f"u{HOSTILE}", "v"),
        f"key{HOSTILE}": [f"k{HOSTILE}{i % 3}" for i in range(120)],
        f"y{HOSTILE}": np.where(x + random.normal(size=120) > 0, f"yes{HOSTILE}", "no"),
    }
    pl.DataFrame(columns).write_parquet(folder / f"t{HOSTILE}.parquet")
    return folder


def hostile_commands(data, folder):
    """Commands that read the hostile table, and write files of hostile names to a folder."""
    table, target, key = str(data / f"t{HOSTILE}.parquet"), f"y{HOSTILE}", f"key{HOSTILE}"
    model = str(folder / f"m{HOSTILE}")
    train = ["train", table, "--target", target]
    yield [*train, "--epochs", "2", "--hidden", "4", "--out", model]
    yield [*train, *QUICK, "--cv", "2"]
    yield [*train, "--by", key, "--epochs", "2", "--out", str(folder / f"by{HOSTILE}")]
    tune = ["--epochs", "1", "--minutes", "5", "--trials", "2", "--no-baselines"]
    yield ["tune", table, "--target", target, *tune, "--search", str(folder / f"s{HOSTILE}")]
    yield ["inspect", model]
    yield ["inspect", model, "--json"]
    yield ["inspect", str(folder / f"by{HOSTILE}")]
    yield ["evaluate", model, table, "--all-rows"]
    yield ["predict", model, table]
    yield ["predict", model, table, "--probabilities", "--out", str(folder / f"p{HOSTILE}.csv")]
    yield ["explain", model, table, "--text"]
    yield ["explain", model, table, "--out", str(folder / f"p{HOSTILE}.html")]


def test_no_control_character_of_a_table_reaches_the_terminal(hostile, tmp_path, capsys):
    for arguments in hostile_commands(hostile, tmp_path):
        assert main(arguments) == 0, arguments
        shown = capsys.readouterr()
        assert not UNSAFE.search(shown.out.replace("\t", "")), arguments
        assert not UNSAFE.search(shown.err), arguments
        if arguments[0] not in ("predict", "explain"):
            assert "[red]" in shown.out
        assert not re.search("^error: none", shown.err, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "{table}", "--target", f"nope{HOSTILE}"],
        ["train", "{table}"],
        ["train", "{table}", "--target", f"y{HOSTILE}", "--kind", f"a{HOSTILE}=nope{HOSTILE}"],
        ["train", f"{HOSTILE}.csv", "--target", "y"],
        ["train", "iris", f"--nope{HOSTILE}"],
        [f"nope{HOSTILE}"],
        ["inspect", f"{HOSTILE}.safetensors"],
        ["train", "iris", "--epochs", f"many{HOSTILE}"],
        ["predict", "{table}", "{table}"],
    ],
    ids=range(9),
)
def test_no_control_character_of_a_mistake_reaches_the_terminal(hostile, capsys, arguments):
    table = str(hostile / f"t{HOSTILE}.parquet")
    assert main([argument.replace("{table}", table) for argument in arguments]) == 2
    shown = capsys.readouterr()
    assert not UNSAFE.search(shown.out + shown.err)
    assert not re.search("^error: none", shown.err, re.MULTILINE)
    assert shown.err.count("error: ") >= 1


def test_a_csv_header_and_what_a_model_file_remembers_are_escaped(here, capsys):
    header = f'"x{HOSTILE}",y\n'
    rows = "".join(f"{i * i},{i}.5\n" for i in range(40))
    Path("h.csv").write_text(header + rows, encoding="utf-8")
    assert main(["train", "h.csv", "--target", "y", *QUICK, "--out", "m"]) == 0
    model = load_model("m")
    about = dict(model.about)
    about["versions"] = {**about["versions"], f"v{HOSTILE}": HOSTILE}
    about["verdict"] = HOSTILE
    save_model("m", replace(model, about=about))
    capsys.readouterr()
    assert main(["inspect", "m"]) == 0
    shown = capsys.readouterr().out
    assert "v\\x1b]52;" in shown
    assert not UNSAFE.search(shown)


def test_a_terminal_gets_no_sequence_but_this_packages_own(hostile, tmp_path):
    pty = pytest.importorskip("pty")
    for arguments in list(hostile_commands(hostile, tmp_path))[:5:4]:  # train, inspect
        parent, child = pty.openpty()
        environment = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"}
        process = subprocess.Popen(
            [sys.executable, "-m", "deltarule", *arguments],
            stdout=child,
            stderr=child,
            env={**os.environ, **environment},
        )
        os.close(child)
        shown = b""
        try:
            while block := os.read(parent, 4096):
                shown += block
        except OSError:  # the other end has closed
            pass
        os.close(parent)
        assert process.wait() == 0
        styled = shown.decode()
        assert "\x1b[1m" in styled  # bold
        plain = re.sub(r"\x1b\[[0-9;?]*[mhlKA]", "", styled)
        assert not UNSAFE.search(plain.replace("\r", "")), plain


def test_warnings_of_python_are_shown_as_the_commands_own(here, capsys, monkeypatch):
    fit = tabular.fit

    def warning(*given):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"odd{HOSTILE}", UserWarning, stacklevel=2)
        return fit(*given)

    monkeypatch.setattr(tabular, "fit", warning)
    assert main(TRAININGS["train"]) == 0
    error = capsys.readouterr().err
    assert error == f"warning: odd{visible(HOSTILE)}\n"


def test_a_report_holds_no_control_character_and_no_warning_of_a_font(here, capsys):
    random = np.random.default_rng(0)
    x = random.normal(size=200)
    columns = {
        "面積": x,
        "สี": random.normal(size=200),
        f"<b>{HOSTILE}": random.normal(size=200),
        "等級": np.where(x > 0, f"良い{HOSTILE}", "<i>悪い"),
    }
    pl.DataFrame(columns).write_parquet("c.parquet")
    arguments = ["train", "c.parquet", "--target", "等級", *QUICK, "--report", "r.html"]
    assert main(arguments) == 0
    assert not capsys.readouterr().err
    page = Path("r.html").read_text(encoding="utf-8")
    assert not UNSAFE.search(page.replace("\t", ""))
    assert "面積" in page
    assert "<b>\\x1b" not in page
    assert "<i>悪い" not in page


def test_installed_fonts_stand_behind_the_users_own(monkeypatch):
    from deltarule.report import drawing

    drawing._further_fonts.cache_clear()
    monkeypatch.setattr(drawing, "_MORE", ("No Such Font", "STIXGeneral"))
    try:
        with drawing.style():
            families = drawing.matplotlib().rcParams["font.family"]
        assert families == ["sans-serif", "STIXGeneral"]
    finally:
        drawing._further_fonts.cache_clear()


# ------------------------------------------------------------------------------- spreadsheets


def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe():
    cells = {
        "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
        "+1+cmd": "'+1+cmd",
        "-a": "'-a",
        "@SUM(A1)": "'@SUM(A1)",
        "\tx": "'\tx",
        "\rx": '"\'\rx"',
        "＝1": "'＝1",
        "-1.5": "-1.5",
        "+2e-3": "+2e-3",
        "a=b": "a=b",
        "": '""',
    }
    for cell, written in cells.items():
        assert _csv(pl.DataFrame({"c": [cell], "n": [-1.5]})) == f"c,n\n{written},-1.5\n"
    assert _csv(pl.DataFrame({"c": [None, "-x"]}), header=False) == "\n'-x\n"


def test_predictions_as_csv_hold_no_formula_and_other_formats_the_text_itself(here, capsys):
    x = np.arange(120.0)
    classes = np.where(x > 60, '=HYPERLINK("http://x","y")', "-1.5")
    pl.DataFrame({"x": x, "y": classes}).write_parquet("f.parquet")
    arguments = ["train", "f.parquet", "--target", "y", "--epochs", "40", "--hidden", "4"]
    arguments += ["--task", "classification"]  # half of the labels look like numbers
    assert main([*arguments, "--no-baselines", "--out", "m"]) == 0
    capsys.readouterr()
    assert main(["predict", "m", "f.parquet"]) == 0
    shown = capsys.readouterr().out
    assert main(["predict", "m", "f.parquet", "--out", "p.csv"]) == 0
    assert main(["predict", "m", "f.parquet", "--memory", "1GB", "--out", "q.csv"]) == 0
    assert main(["predict", "m", "f.parquet", "--out", "p.parquet"]) == 0
    assert shown == Path("p.csv").read_text() == Path("q.csv").read_text()
    assert set(pl.read_csv("p.csv", infer_schema=False).to_series()) == {
        '\'=HYPERLINK("http://x","y")',
        "-1.5",
    }
    assert set(pl.read_parquet("p.parquet").to_series()) == set(classes)


# --------------------------------------------------------------- what is needed is there before

LATE = """
import sys
from deltarule import cli
from deltarule.cli import progress
before, listen = [], progress.Watcher.listen
def heard(self, event):
    before or before.append({name.split(".")[0] for name in sys.modules})
    return listen(self, event)
progress.Watcher.listen = heard
assert cli.main(sys.argv[1:]) == 0
after = {name.split(".")[0] for name in sys.modules} - sys.stdlib_module_names
print("late:", *sorted(after - before[0]))
"""


def test_no_library_is_loaded_after_the_training_has_begun(here):
    arguments = [*TRAININGS["train"], "--baselines", "--out", "m", "--report", "r.html"]
    done = subprocess.run(
        [sys.executable, "-c", LATE, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "late:"


@pytest.mark.parametrize("package", ["safetensors", "sklearn"])
def test_a_library_that_cannot_be_loaded_is_an_error_before_the_training(here, package):
    (here / package).mkdir()
    (here / package / "__init__.py").write_text(
        "raise ImportError('x.so: failed to map segment from shared object')"
    )
    done = command(
        here,
        *("train", "t.csv", "--target", "y", "--epochs", "1", "--out", "m", "--report", "r.html"),
        env={"PYTHONPATH": str(here)},
        stdout=subprocess.PIPE,
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: .* needs a library that cannot be loaded: x\.so: failed to map segment .*\n",
        done.stderr,
    )
    assert "epoch" not in done.stdout


def test_what_the_report_needs_is_asked_for_before_the_training(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main([*TRAININGS["train"], "--report", "r.html"]) == 1
    shown = capsys.readouterr()
    assert 'error: a report needs the package "jinja2", which is not installed' in shown.err
    assert not shown.out


def test_libraries_that_fail_are_no_traceback(here, capsys, monkeypatch):
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    failures = {
        panic("no thread"): "error: a library failed: no thread. Check the memory and threads",
        ImportError("x.so"): "error: the command needs a library that cannot be loaded: x.so.",
        MemoryError(): "error: out of memory.",
        OSError(28, "No space left on device"): "error: no space left on device.",
    }
    for failure, message in failures.items():

        def fail(*_, failure=failure):
            raise failure

        monkeypatch.setattr(tabular, "fit", fail)
        assert main(TRAININGS["train"]) == 1
        assert capsys.readouterr().err.startswith(message)


def test_a_fault_of_this_package_is_not_hidden(here, monkeypatch):
    monkeypatch.setattr(tabular, "fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(TRAININGS["train"])


GONE = """
import os, sys
from deltarule.cli import main
os.rmdir(os.getcwd())
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be removed there")
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "{here}/t.csv", "--target", "y", "--out", "m"],
        ["train", "t.csv", "--target", "y"],
        ["predict", "{here}/t.csv", "{here}/t.csv", "--out", "p.csv"],
    ],
    ids=" ".join,
)
def test_a_working_folder_that_is_gone_is_named(here, arguments):
    (here / "gone").mkdir()
    given = [argument.replace("{here}", str(here)) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-c", GONE, *given],
        cwd=here / "gone",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert "The working folder no longer exists. Change to one that does." in done.stderr
    assert "the output" not in done.stderr


# ----------------------------------------------------------------------------------- signals

WAITING = """
import sys, time
from deltarule import cli
from deltarule.cli import progress
def wait(self, event):
    print("heard", flush=True)
    time.sleep(60)
progress.Watcher.listen = wait
sys.exit(cli.main(sys.argv[1:]))
"""


def ended_by(number, folder, *arguments):
    """The status and the error of a command that gets a signal while it trains."""
    given = [sys.executable, "-c", WAITING, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(given, cwd=folder, **pipes) as process:
        while "heard" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        _, error = process.communicate(timeout=280)
    return process.returncode, error


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_without_checkpoints_a_signal_ends_the_command_and_it_says_so(here, name):
    number = getattr(signal, name)
    status, error = ended_by(number, here, *TRAININGS["train"], "--out", "m")
    assert status == 128 + number
    assert error == "error: interrupted; nothing was written.\n"
    assert sorted(path.name for path in here.iterdir()) == ["t.csv"]


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
def test_a_search_ended_by_a_signal_says_what_is_kept(here):
    search = [*TRAININGS["tune"], "--search", "s.json"]
    status, error = ended_by(signal.SIGHUP, here, *search)
    assert status == 129
    assert "the trials so far are saved in s.json" in error
    assert Path("s.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
def test_a_closed_terminal_is_ignored_where_nohup_says_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        for handling in (signals_raised(), signals_heard(lambda number: 1 / 0)):
            with handling:
                os.kill(os.getpid(), signal.SIGHUP)
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_of_signals_are_as_before_a_command(capsys):
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    assert main(["inspect", "none"]) == 2
    assert [signal.getsignal(number) for number in numbers] == before
    assert sys.stdout.errors == "strict"
