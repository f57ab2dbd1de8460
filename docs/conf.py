"""How the documentation is built: ``make docs``. No page asks the network for anything."""

import inspect
import shutil
import sys
from pathlib import Path

import deltarule

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "deltarule"
author = "the deltarule authors"
copyright = author
version = release = deltarule.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "equations",  # an address for each numbered equation, and its place in the search
    "mathml",  # TeX -> MathML while building
    "code_of",  # the code of a function beside its equation
    "inline_figures",  # SVG into the page, so that it takes the page's colours
    "live_pages",  # the pages that deltarule writes, to use
    "sphinx_gallery.gen_gallery",  # runs the examples: pages with their outputs and pictures
    "table_numbers",  # no number is broken across lines
    "offline",  # fails a build whose pages would ask the network
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "equations-list.md"]  # the list is included by the home page
root_doc = "index"
language = "en"

myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3

# Examples run in a copy of their folder, because some write files.
_EXAMPLES = HERE / "_build" / "examples"
for stale in (_EXAMPLES, HERE / "gallery"):
    shutil.rmtree(stale, ignore_errors=True)
shutil.copytree(HERE.parent / "examples" / "gallery", _EXAMPLES)
sphinx_gallery_conf = {
    "examples_dirs": str(_EXAMPLES),
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "run_stale_examples": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

smartquotes = False  # they would turn the dashes of --options into one
html_theme = "furo"
html_title = "deltarule"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["deltarule.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types and shapes
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_ivar = True
add_module_names = False
python_maximum_signature_line_length = 80

_AS_WRITTEN = {}


def _keep_text(app, what, name, obj, options, lines):
    """Napoleon reads "a: b" beneath a name as a type; keep what the code says."""
    if what in ("data", "attribute"):
        _AS_WRITTEN[name] = list(lines)


def _restore_text(app, what, name, obj, options, lines):
    if name in _AS_WRITTEN:
        lines[:] = _AS_WRITTEN.pop(name)


def _skip_field(app, what, name, obj, skip, options):
    """Fields of a named tuple say nothing but their number; its docstring says what they are."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field") else None


def _signature(app, what, name, obj, options, signature, returns):
    """A class that checks its keywords in ``__new__`` is shown with its fields and defaults."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    bare = [
        parameter.replace(annotation=parameter.empty)
        for parameter in inspect.signature(obj).parameters.values()
    ]
    return str(inspect.Signature(bare)), None


def setup(app):
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _keep_text, priority=400)
    app.connect("autodoc-process-docstring", _restore_text, priority=600)
    app.connect("autodoc-skip-member", _skip_field)
