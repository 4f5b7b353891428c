package inventory

import (
	"errors"
	"strings"
)

// Bounds of one pattern. A host name has at most 253 bytes (RFC 1035).
const (
	maxPatternBytes = 256
	maxHostBytes    = 253
	maxLabelBytes   = 63
)

// IsGlob reports whether pattern contains "*".
func IsGlob(pattern string) bool { return strings.IndexByte(pattern, '*') >= 0 }

// MatchGlob reports whether name is matched by pattern, in which "*" stands for
// any run of bytes, the empty one included. It compares bytes: callers fold case
// on both sides. It allocates nothing.
func MatchGlob(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// checkPattern rejects a pattern that is empty, too long, holds a control
// character, or would match nearly everything.
func checkPattern(pattern string) error {
	switch {
	case strings.TrimSpace(pattern) == "":
		return errors.New("is empty")
	case len(pattern) > maxPatternBytes:
		return errors.New("is longer than 256 bytes")
	case pattern != strings.TrimSpace(pattern):
		return errors.New("has space at an end")
	case hasControl(pattern):
		return errors.New("holds a control character")
	case IsGlob(pattern) && len(strings.NewReplacer("*", "", ".", "", "-", "").Replace(pattern)) < 2:
		return errors.New("matches too much: a glob needs two letters or digits")
	}
	return nil
}

// MatchDomain reports whether host is matched by pattern: the name itself, or
// for "*.example.com" every name below it, one label or more, and not the name
// itself. Both sides are lower case without a final dot. It allocates nothing.
func MatchDomain(pattern, host string) bool {
	if !strings.HasPrefix(pattern, "*.") {
		return pattern == host
	}
	suffix := pattern[1:]
	return len(host) > len(suffix) && host[0] != '.' && strings.HasSuffix(host, suffix)
}

// checkDomain rejects what is neither a host name nor a wildcard over at least
// two labels.
func checkDomain(pattern string) error {
	host, wildcard := strings.CutPrefix(pattern, "*.")
	if err := checkHost(host); err != nil {
		return err
	}
	if wildcard && !strings.Contains(host, ".") {
		return errors.New("matches too much: a wildcard needs two labels below it, such as *.example.com")
	}
	return nil
}

// checkHost rejects what is no lower-case host name in A-label form.
func checkHost(host string) error {
	if host == "" || len(host) > maxHostBytes {
		return errors.New("is no host name: it needs 1 to 253 bytes")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > maxLabelBytes {
			return errors.New("is no host name: each label needs 1 to 63 bytes, with no dot at the end")
		}
		for i := range len(label) {
			c := label[i]
			switch {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
			case c == '-' && i > 0 && i < len(label)-1:
			case c >= 'A' && c <= 'Z':
				return errors.New("must be lower case")
			case c == '*':
				return errors.New("has a * that is not the whole first label")
			case c >= 0x80:
				return errors.New("must be written with A-labels (xn--…)")
			default:
				return errors.New("is no host name: only letters, digits and hyphens")
			}
		}
	}
	return nil
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}
