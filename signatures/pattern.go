package signatures

import "strings"

// A segment is what stands between two slashes of a path. In a rule, "*" within
// a segment stands for any run of characters of that segment.

// matchSegment compares one segment with its pattern; fold ignores the case of
// ASCII letters.
func matchSegment(pattern, segment string, fold bool) bool {
	if !strings.Contains(pattern, "*") {
		return equal(pattern, segment, fold)
	}
	before, rest, _ := strings.Cut(pattern, "*")
	if len(segment) < len(before) || !equal(before, segment[:len(before)], fold) {
		return false
	}
	segment = segment[len(before):]
	for {
		middle, after, more := strings.Cut(rest, "*")
		if !more {
			return len(segment) >= len(rest) && equal(rest, segment[len(segment)-len(rest):], fold)
		}
		i := index(segment, middle, fold)
		if i < 0 {
			return false
		}
		segment, rest = segment[i+len(middle):], after
	}
}

// matchName is matchSegment for names of files, where "#" stands for a run that
// begins with a digit.
func matchName(pattern, name string, fold bool) bool {
	if !strings.Contains(pattern, "#") {
		return matchSegment(pattern, name, fold)
	}
	return matchRuns(pattern, name, fold)
}

// matchRuns compares a name with a pattern in which "*" and "#" stand for runs.
func matchRuns[T string | []byte](pattern string, name T, fold bool) bool {
	// What was tried last for the latest run: where the rest of the pattern
	// starts, and where the name was when it started. An earlier run need not
	// be tried longer: whatever it would leave over, the latest can take.
	rest, start := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			p++
			rest, start = p, n
			continue
		case p < len(pattern) && pattern[p] == '#' && name[n] >= '0' && name[n] <= '9':
			p, n = p+1, n+1
			rest, start = p, n
			continue
		case p < len(pattern) && pattern[p] != '#' && (pattern[p] == name[n] || fold && lower(pattern[p]) == lower(name[n])):
			p, n = p+1, n+1
			continue
		case rest < 0:
			return false
		}
		start++
		p, n = rest, start
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func equal(a, b string, fold bool) bool {
	if !fold || a == b {
		return a == b
	}
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func index(s, part string, fold bool) int {
	if !fold {
		return strings.Index(s, part)
	}
	for i := 0; i+len(part) <= len(s); i++ {
		if equal(s[i:i+len(part)], part, true) {
			return i
		}
	}
	return -1
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// lowerInto lower-cases the ASCII letters of s into buffer and returns the part
// that was written; ok is false where s does not fit.
func lowerInto(buffer []byte, s string) (out []byte, ok bool) {
	if len(s) > len(buffer) {
		return nil, false
	}
	for i := range len(s) {
		buffer[i] = lower(s[i])
	}
	return buffer[:len(s)], true
}

// isSeparator says whether c separates segments: "\" does on Windows.
func isSeparator(c byte, windows bool) bool { return c == '/' || windows && c == '\\' }

// lastSegment cuts the last segment off path.
func lastSegment(path string, windows bool) (rest, segment string) {
	for i := len(path) - 1; i >= 0; i-- {
		if isSeparator(path[i], windows) {
			return path[:i], path[i+1:]
		}
	}
	return "", path
}

// baseName returns the last segment of path.
func baseName(path string, windows bool) string {
	_, base := lastSegment(path, windows)
	return base
}

// isWindowsPath tells a Windows path by its drive or its double backslash.
func isWindowsPath(path string) bool {
	if strings.HasPrefix(path, `\\`) {
		return true
	}
	return len(path) >= 3 && path[1] == ':' && (path[2] == '\\' || path[2] == '/') && lower(path[0]) >= 'a' && lower(path[0]) <= 'z'
}

// anchor says where the first segment of a file pattern must lie.
type anchor uint8

const (
	anchorAny  anchor = iota // in any folder
	anchorRoot               // at the root
	anchorHome               // in a home directory
)

// filePattern is the compiled path of a FileRule.
type filePattern struct {
	anchor   anchor
	segments []string
}

func parseFilePattern(path string) filePattern {
	p := filePattern{}
	switch {
	case path == "~" || strings.HasPrefix(path, "~/"):
		p.anchor, path = anchorHome, strings.TrimPrefix(path[1:], "/")
	case strings.HasPrefix(path, "/"):
		p.anchor, path = anchorRoot, path[1:]
	}
	p.segments = strings.Split(path, "/")
	return p
}

// match compares the pattern with the whole of path; fold ignores the case of
// ASCII letters.
func (p *filePattern) match(path string, windows, fold bool) bool {
	rest := path
	for i := len(p.segments) - 1; i >= 0; i-- {
		if rest == "" {
			return false
		}
		absolute := isSeparator(rest[0], windows)
		var segment string
		rest, segment = lastSegment(rest, windows)
		if !matchName(p.segments[i], segment, fold) {
			return false
		}
		if i == 0 && rest == "" {
			// path is used up: what is left is the root or nothing.
			return p.anchor == anchorAny || p.anchor == anchorRoot && absolute
		}
	}
	switch p.anchor {
	case anchorAny:
		return true
	case anchorHome:
		return isHome(rest, windows)
	default:
		return false
	}
}

// isHome says whether path is a home directory, by the places where systems put
// them. "~" itself is one, so that rules can be tried on short forms.
func isHome(path string, windows bool) bool {
	if path == "~" || path == "/root" || path == "/var/root" {
		return true
	}
	above, user := lastSegment(path, windows)
	if user == "" {
		return false
	}
	switch above {
	case "/home", "/Users", "/var/home", "/export/home", "/usr/home":
		return true
	}
	drive, users := lastSegment(above, windows)
	return windows && len(drive) == 2 && drive[1] == ':' && equal(users, "users", true)
}
