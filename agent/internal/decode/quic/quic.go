// Package quic reads what a client says when it opens a QUIC connection: the
// CRYPTO frames of its Initial packets, whose key anybody can derive from the
// connection id that the client sends with the first of them (RFC 9000,
// RFC 9001, RFC 9369, and the last drafts of these).
//
// It is pure: no I/O, no goroutine, no log; what it returns are parts of the
// input or of an Opener's memory. It imports nothing of ours. It decrypts no
// packet but a client's Initials, keeps no connection (that is its caller's
// part), puts no CRYPTO stream together, and does not read the ClientHello.
package quic

import "strconv"

// The versions that this package knows by name
// (https://www.iana.org/assignments/quic).
const (
	Version1      = 1
	Version2      = 0x6b3343cf
	version2Draft = 0x709a50c4 // draft-ietf-quic-v2-01 and later ones
	mvfst22       = 0xfaceb001
	mvfst27       = 0xfaceb002
	mvfstTrial    = 0xfaceb00e
	googleT050    = 0x54303530
	googleT051    = 0x54303531
	draft         = 0xff0000 // and the draft's number in the last byte
	firstDraft    = 22       // the first with today's header
	lastDraft     = 34
)

// Scheme is how a version derives the keys of its Initial packets and numbers
// its packet types.
type Scheme uint8

// The schemes. Unknown is that of a version that is not in the list: such a
// version may still use one of the others.
const (
	Unknown Scheme = iota
	SchemeDraft22
	SchemeDraft23
	SchemeDraft29
	SchemeV1
	SchemeV2Draft
	SchemeV2
	schemeT050
	schemeT051
)

// SchemeOf returns the scheme of a version.
func SchemeOf(version uint32) Scheme {
	switch version {
	case Version1:
		return SchemeV1
	case Version2:
		return SchemeV2
	case version2Draft:
		return SchemeV2Draft
	case mvfst22:
		return SchemeDraft22
	case mvfst27, mvfstTrial:
		return SchemeDraft23
	case googleT050:
		return schemeT050
	case googleT051:
		return schemeT051
	}
	if version>>8 != draft {
		return Unknown
	}
	switch n := version & 0xff; {
	case n < firstDraft || n > lastDraft:
		return Unknown
	case n == firstDraft:
		return SchemeDraft22
	case n < 29:
		return SchemeDraft23
	case n < 33:
		return SchemeDraft29
	}
	return SchemeV1
}

// Candidates lists the schemes to try for a version: its own, or, where that
// is not known, those that experiments and version greasing are built on, most
// likely first.
func Candidates(version uint32) []Scheme {
	if s := SchemeOf(version); s != Unknown {
		return known[s : s+1]
	}
	return trials[:]
}

var (
	known = [...]Scheme{
		Unknown, SchemeDraft22, SchemeDraft23, SchemeDraft29, SchemeV1, SchemeV2Draft, SchemeV2, schemeT050, schemeT051,
	}
	trials = [...]Scheme{SchemeV1, SchemeDraft29, SchemeDraft23, SchemeDraft22}
)

// Reserved reports whether a version is one of those that exist to force a
// version negotiation (RFC 9000, section 15).
func Reserved(version uint32) bool { return version&0x0f0f0f0f == 0x0a0a0a0a }

// VersionName returns a version as people write it: "1", "draft-29", or its
// number in hexadecimal.
func VersionName(version uint32) string {
	switch {
	case version == Version1:
		return "1"
	case version == Version2:
		return "2"
	case version>>8 == draft:
		return "draft-" + strconv.Itoa(int(version&0xff))
	}
	return "0x" + strconv.FormatUint(uint64(version), 16)
}
