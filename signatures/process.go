package signatures

import (
	"slices"
	"strings"
)

// Limits of what is read of a command line. Package paths and verbs stand at
// its front; prompts and data, which are nobody's business, come later.
const (
	MaxArguments     = 8    // elements looked at, the program itself included
	MaxArgumentBytes = 4096 // bytes looked at in one element
)

// interpreters are programs that run other programs: their name says nothing
// about what runs. Names compare as processName gives them; a version such as
// in python3.12 is cut off first.
func isInterpreter(name string) bool {
	switch strings.TrimRight(name, "0123456789.") {
	case "python", "pythonw", "pypy", "node", "nodejs", "bun", "bunx", "deno", "npm", "npx", "pnpm", "yarn", "uv", "uvx", "pipx", "pip",
		"java", "javaw", "dotnet", "ruby", "perl", "php", "lua", "luajit", "rscript", "julia", "erl", "mono", "wine",
		"sh", "bash", "zsh", "fish", "dash", "ksh", "csh", "tcsh", "busybox", "cmd", "powershell", "pwsh", "wscript", "cscript", "osascript", "mshta",
		"docker", "dockerd", "podman", "containerd", "runc", "kubectl", "systemd", "launchd", "init", "sudo", "su", "env", "nohup", "tmux", "screen", "ssh",
		"electron", "code", "svchost", "rundll", "explorer", "main", "server", "app", "helper", "launcher", "agent", "worker", "daemon", "service", "start", "run", "update", "updater", "setup", "install", "installer", "a.out", "test":
		return true
	}
	return false
}

// runsScripts says whether the first operand of the program called name is the
// program that really runs.
func runsScripts(name string) bool {
	switch strings.TrimRight(name, "0123456789.") {
	case "python", "pythonw", "pypy", "node", "nodejs", "bun", "deno", "ruby", "perl", "php", "sh", "bash", "zsh", "dash":
		return true
	}
	return false
}

// processRule is a compiled ProcessRule.
type processRule struct {
	signature int32
	rule      *ProcessRule
	selector  string
}

func compileProcess(signature int32, r *ProcessRule) processRule {
	text := "process " + r.Name
	if r.Match == "prefix" {
		text = "process prefix " + r.Name
	}
	if r.Argument != "" {
		text += " " + r.Argument
	}
	return processRule{signature, r, text}
}

// matchName compares the rule with the base name of a program. Names are
// compared without regard to case and a final ".exe" where the program is a
// Windows one.
func (p *processRule) matchName(name string, windows bool) bool {
	rule := p.rule.Name
	if windows {
		name, rule = trimExe(name), trimExe(rule)
	}
	if p.rule.Match == "prefix" {
		return len(name) >= len(rule) && equal(rule, name[:len(rule)], windows)
	}
	return equal(rule, name, windows)
}

// matchRest checks what a rule asks for beside the name: the system and an
// element of the command line.
func (p *processRule) matchRest(os string, arguments []string) bool {
	if !onSystem(p.rule.OS, os) {
		return false
	}
	if p.rule.Argument == "" {
		return true
	}
	return slices.Contains(clipArguments(arguments), p.rule.Argument)
}

func (r *processRule) match(name string, p *program) bool {
	return r.matchName(name, p.windows) && r.matchRest(p.os, p.arguments)
}

func clipArguments(arguments []string) []string {
	return arguments[:min(len(arguments), MaxArguments)]
}

// onSystem says whether a rule for the systems in list holds on os; a system
// that is not known contradicts no rule.
func onSystem(list []string, os string) bool {
	return len(list) == 0 || os == "" || oneOf(os, list)
}

func trimExe(name string) string {
	if n := len(name) - len(".exe"); n > 0 && equal(".exe", name[n:], true) {
		return name[:n]
	}
	return name
}

// argumentRule is a compiled ArgumentRule.
type argumentRule struct {
	signature int32
	rule      *ArgumentRule
	selector  string
	image     bool // of a container: a tag (":") may follow
}

func compileArgument(signature int32, r *ArgumentRule) argumentRule {
	if r.Module != "" {
		return argumentRule{signature: signature, rule: r, selector: "module " + r.Module}
	}
	return argumentRule{signature: signature, rule: r, selector: "argument " + r.Contains}
}

// isBoundary says whether c may stand beside the text of an argument rule.
func isBoundary(c byte) bool { return c == '/' || c == '\\' || c == '@' || c == '=' }

// firstToken returns the part of text up to the first boundary after its first
// character: the key of an argument rule.
func firstToken(text string) string {
	for i := 1; i < len(text); i++ {
		if isBoundary(text[i]) {
			return text[:i]
		}
	}
	return text
}

// containsAt compares the rule's text with element from position at on: "\" in
// element counts as "/", and a boundary or the end must follow.
func (a *argumentRule) containsAt(element string, at int) bool {
	text := a.rule.Contains
	if len(element)-at < len(text) {
		return false
	}
	for i := range len(text) {
		c := element[at+i]
		if c == '\\' {
			c = '/'
		}
		if c != text[i] {
			return false
		}
	}
	end := at + len(text)
	return end == len(element) || isBoundary(element[end]) || a.image && element[end] == ':'
}

// matchModule says whether module is the one of the rule or lies below it.
func matchModule(rule, module string) bool {
	return strings.HasPrefix(module, rule) && (len(module) == len(rule) || module[len(rule)] == '.')
}

// matchElement tries the rule on one element alone, without an index.
func (a *argumentRule) matchElement(element string) bool {
	element = element[:min(len(element), MaxArgumentBytes)]
	for i := range len(element) {
		if (i == 0 || isBoundary(element[i-1])) && a.containsAt(element, i) {
			return true
		}
	}
	return false
}

// argumentIndex finds argument rules by their first token, and module rules one
// by one, for they are tried only behind "-m".
type argumentIndex struct {
	byToken map[string][]argumentRule
	modules []argumentRule
}

func newArgumentIndex() *argumentIndex {
	return &argumentIndex{byToken: map[string][]argumentRule{}}
}

func (x *argumentIndex) add(a argumentRule) {
	if a.rule.Module != "" {
		x.modules = append(x.modules, a)
		return
	}
	token := firstToken(a.rule.Contains)
	x.byToken[token] = append(x.byToken[token], a)
}

// program is what a process observation says about the program, worked out
// once.
type program struct {
	name      string // base name
	script    string // base name of the program that an interpreter runs, "" where there is none
	windows   bool
	os        string // GOOS, "" where it is not known
	arguments []string
}

func programOf(o *Observation) program {
	p := program{name: o.Process.Name, os: o.OS, arguments: clipArguments(o.Process.Arguments)}
	if p.os == "" && (isWindowsPath(o.Process.Executable) || len(trimExe(p.name)) != len(p.name)) {
		p.os = "windows"
	}
	p.windows = p.os == "windows"
	if p.name == "" {
		p.name = baseName(o.Process.Executable, p.windows)
	}
	name := p.name
	if p.windows {
		name = trimExe(name)
	}
	if runsScripts(name) && len(p.arguments) > 1 && !strings.HasPrefix(p.arguments[1], "-") {
		p.script = baseName(p.arguments[1], p.windows)
	}
	return p
}

// processIndex finds process rules by name, lower-cased and without ".exe", and
// prefix rules one by one.
type processIndex struct {
	byName   map[string][]processRule
	prefixes []processRule
}

// maxProcessName is the longest name of a process rule.
const maxProcessName = 64

func newProcessIndex() *processIndex {
	return &processIndex{byName: map[string][]processRule{}}
}

func (x *processIndex) add(p processRule) {
	if p.rule.Match == "prefix" {
		x.prefixes = append(x.prefixes, p)
		return
	}
	key := strings.ToLower(trimExe(p.rule.Name))
	x.byName[key] = append(x.byName[key], p)
}

// named returns the rules whose name may be name; matchName decides.
func (x *processIndex) named(name string) []processRule {
	var buffer [maxProcessName]byte
	key, ok := lowerInto(buffer[:], trimExe(name))
	if !ok {
		return nil
	}
	return x.byName[string(key)]
}
