package files

import (
	"path/filepath"
	"strings"
)

// Which files are read at all.
//
// Content decides, never a name: a model may be called anything. But a walk
// over source trees must cost little more than listing them, so a file is not
// opened when both hold: its extension or name is customary for another kind
// of content, and it is at most Config.SmallText bytes long (64 KiB). No model
// of use is that small, and a larger file is read whatever it is called. Kinds
// that some model format shares (.txt, .json, .xml, .bin, .dat, .zip and
// everything without an extension) are always read. What is passed over is
// counted as skipped_other_kind.

// otherKinds are extensions of files that are no models.
var otherKinds = setOf(
	".go", ".py", ".pyi", ".pyx", ".ipynb", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".mts", ".cts", ".vue", ".svelte",
	".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".inc", ".m", ".mm", ".cu", ".cuh", ".rs", ".java", ".kt", ".kts", ".scala",
	".rb", ".php", ".pl", ".pm", ".t", ".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".cmd", ".lua", ".swift", ".cs", ".vb", ".fs", ".r",
	".jl", ".ex", ".exs", ".erl", ".hs", ".ml", ".mli", ".clj", ".el", ".lisp", ".dart", ".zig", ".nim", ".asm", ".s", ".v", ".sv", ".vhd",
	".css", ".scss", ".sass", ".less", ".html", ".htm", ".xhtml", ".md", ".mdx", ".rst", ".adoc", ".tex", ".bib", ".csv", ".tsv",
	".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".env", ".sql", ".graphql", ".proto", ".thrift", ".cmake", ".mk",
	".am", ".ac", ".in", ".m4", ".gradle", ".bazel", ".bzl", ".nix", ".tf", ".hcl", ".lock", ".sum", ".mod", ".log", ".diff", ".patch",
	".po", ".pot", ".mo", ".map", ".d", ".o", ".a", ".so", ".dll", ".dylib", ".lib", ".obj", ".pyc", ".pyo", ".class", ".whl",
	".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".ico", ".svg", ".tif", ".tiff", ".ttf", ".otf", ".woff", ".woff2", ".eot",
	".mp3", ".mp4", ".wav", ".ogg", ".flac", ".webm", ".mkv", ".avi", ".mov", ".pdf", ".ps", ".eps", ".doc", ".docx", ".xls", ".xlsx", ".ppt",
	".pptx", ".odt", ".ods", ".rtf", ".eml", ".vim", ".snap", ".service", ".desktop", ".gitignore", ".editorconfig", ".list", ".md5sums",
	".1", ".2", ".3", ".4", ".5", ".6", ".7", ".8", ".pc", ".la", ".symbols", ".postinst", ".prerm", ".preinst", ".postrm", ".triggers",
)

// otherNames are whole names of the same sort.
var otherNames = setOf(
	"package.json", "package-lock.json", "tsconfig.json", "composer.json", "bower.json", ".eslintrc.json", ".eslintrc", ".prettierrc", ".npmignore",
	"license", "licence", "license.txt", "copying", "readme", "readme.txt", "authors", "makefile", "dockerfile", "changelog", "changelog.txt", "notice",
	"record", "metadata", "wheel", "installer", "top_level.txt", "entry_points.txt", "requested", "py.typed", "cmakelists.txt", "requirements.txt",
	".gitattributes", ".gitmodules", ".gitkeep", ".ds_store",
)

func setOf(names ...string) map[string]struct{} {
	m := make(map[string]struct{}, len(names))
	for _, n := range names {
		m[n] = struct{}{}
	}
	return m
}

// otherKind says whether a name is customary for another kind of content.
func otherKind(name string) bool {
	var buf [64]byte
	if len(name) <= len(buf) && isLower(name) { // no copy for most names
		return inSets(name)
	}
	return inSets(strings.ToLower(name))
}

func inSets(name string) bool {
	if _, ok := otherNames[name]; ok {
		return true
	}
	_, ok := otherKinds[filepath.Ext(name)]
	return ok
}

func isLower(s string) bool {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// partialDownload says whether a name is that of a download under way: of
// browsers, of the Hugging Face client (.incomplete) and of Ollama (-partial,
// -partial-N).
func partialDownload(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".incomplete", ".part", ".partial", ".crdownload", ".download", ".opdownload", ".aria2", ".filepart":
		return true
	}
	i := strings.LastIndex(name, "-partial")
	return i > 0 && (i+8 == len(name) || name[i+8] == '-' && strings.Trim(name[i+9:], "0123456789") == "")
}
