package signatures

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHostBytes is the longest name that fits a DNS message (RFC 1035, section
// 2.3.4, without the root label); maxLabelBytes the longest label.
const (
	maxHostBytes  = 253
	maxLabelBytes = 63
)

// NormalizeHost lower-cases name, removes one final dot and converts it to
// A-labels; ok is false for anything that is no host name: over 253 bytes, an
// empty or too long label, a control character, a space or a character that
// ends a host in a URL. IP address literals are returned as they are with ok
// true; in the brackets of a URL, without them. A name in normal form is
// returned without allocating. There is no port in name: cut it off before.
//
// The same name always yields the same result, and NormalizeHost of a result is
// that result.
func NormalizeHost(name string) (host string, ok bool) {
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		name = name[1 : len(name)-1]
		if _, err := netip.ParseAddr(name); err != nil || !strings.Contains(name, ":") {
			return "", false
		}
		return name, true
	}
	if strings.Contains(name, ":") {
		_, err := netip.ParseAddr(name)
		if err != nil {
			return "", false
		}
		return name, true
	}
	name = strings.TrimSuffix(name, ".")
	state := scanHost(name)
	if state == hostWide {
		// A name given in Unicode: map, check and convert it as a browser does
		// (UTS 46). The limit keeps that work small; no A-label form of a
		// longer name fits 253 bytes four times over.
		if len(name) > 4*maxHostBytes || !utf8.ValidString(name) {
			return "", false
		}
		ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false)).ToASCII(name)
		if err != nil {
			return "", false
		}
		name = strings.TrimSuffix(ascii, ".")
		state = scanHost(name)
	}
	switch state {
	case hostNormal:
		return name, true
	case hostUpper:
		return strings.ToLower(name), true
	default:
		return "", false
	}
}

// hostState is what scanHost found.
type hostState uint8

const (
	hostNormal hostState = iota
	hostUpper            // good but for its capital letters
	hostWide             // holds bytes beyond ASCII
	hostBad
)

// scanHost looks at a name without a final dot.
func scanHost(name string) hostState {
	if name == "" {
		return hostBad
	}
	state, label, bad := hostNormal, 0, len(name) > maxHostBytes
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.':
			bad = bad || label == 0
			label = 0
			continue
		case c >= 'A' && c <= 'Z':
			state = hostUpper
		case c >= 0x80:
			return hostWide
		case c > ' ' && c < 0x7f && strings.IndexByte("!$&'()+,;=~", c) >= 0:
			// no letter of a host, but seen in names of the DNS
		default:
			bad = true
		}
		label++
		bad = bad || label > maxLabelBytes
	}
	if bad || label == 0 {
		return hostBad
	}
	return state
}
