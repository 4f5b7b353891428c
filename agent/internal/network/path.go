package network

import "strings"

const (
	maskLength    = 20 // letters in a row with digits in two places, that are taken for an identifier or a key
	maskHexLength = 16 // the same where all are hexadecimal digits
	uuidLength    = 36
)

// maskPath puts "*" in the place of what in a path looks chosen by chance: a
// UUID, or a long run of letters and digits. That keeps keys out of findings,
// which some services put into the path (an MCP endpoint of one's own, say), and
// keeps the uses of one service together. Names of models stay: their runs are
// short. masked tells whether anything was.
func maskPath(path string) (text string, masked bool) {
	if !longRun(path) && strings.Count(path, "-") < 4 { // of a UUID
		return path, false
	}
	var out strings.Builder
	kept := 0 // what is before is in out or masked
	for at := 0; at < len(path); {
		n := 0
		if atSegment := at == 0 || path[at-1] == '/'; atSegment && isUUID(path[at:]) {
			n = uuidLength
		}
		mask := n > 0
		if n == 0 {
			n, mask = randomRun(path[at:])
		}
		if mask {
			out.WriteString(path[kept:at])
			out.WriteByte('*')
			kept, masked = at+n, true
		}
		at += max(n, 1)
	}
	if !masked {
		return path, false
	}
	out.WriteString(path[kept:])
	return out.String(), true
}

// longRun reports whether path has maskHexLength letters and digits in a row.
func longRun(path string) bool {
	n := 0
	for i := range len(path) {
		if c := path[i]; c|0x20-'a' < 26 || c-'0' < 10 {
			if n++; n == maskHexLength {
				return true
			}
		} else {
			n = 0
		}
	}
	return false
}

// randomRun returns the length of the run of letters and digits at the start of
// s, and whether it looks chosen by chance.
func randomRun(s string) (n int, random bool) {
	groups, hex := 0, true // of digits
	inside := false
	for n < len(s) {
		c := s[n] | 0x20
		digit := '0' <= s[n] && s[n] <= '9'
		if !digit && (c < 'a' || c > 'z') {
			break
		}
		if digit && !inside {
			groups++
		}
		inside = digit
		hex = hex && (digit || c <= 'f')
		n++
	}
	if groups == 1 && inside && allDigits(s[:n]) {
		groups = 0
	}
	return n, n >= maskLength && groups > 1 || n >= maskHexLength && hex && groups > 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// isUUID reports whether s starts with a UUID that ends a segment (RFC 9562).
func isUUID(s string) bool {
	if len(s) < uuidLength || len(s) > uuidLength && s[uuidLength] != '/' {
		return false
	}
	for i := range uuidLength {
		c := s[i] | 0x20
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if (c < 'a' || c > 'f') && (s[i] < '0' || s[i] > '9') {
				return false
			}
		}
	}
	return true
}
