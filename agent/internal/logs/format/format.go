// Package format reads the lines (or frames) of other programs' logs: one file
// a format, each a pure parser that says which name a line speaks of, whose
// connection it was, and how much went over it.
//
// It may import signatures (for the kinds) and agent/internal/decode/dns (for
// dnstap). It does no I/O, starts no goroutine and logs nothing; a parser keeps
// what earlier lines of its file said (a header) and nothing else. It carries
// no content away: the query of a URL, user names and passwords in it, headers,
// cookies and bodies are never part of a Record.
//
// It does not decide what a line means: names are as written, not normalised,
// and what matches nothing is the caller's to drop.
package format

import (
	"net/netip"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Record is what one line says. Its slices are parts of the line or of the
// parser's own memory and hold until the next call.
type Record struct {
	Time       int64 // nanoseconds since 1970, 0 where the line tells none
	Kind       signatures.Kind
	Protocol   string // "tcp", "udp", or "" where the line does not tell
	Name       []byte // host name or address as written, without a port; may be empty
	Client     netip.Addr
	Server     netip.Addr
	ClientPort uint16 // 0 where the line tells none
	ServerPort uint16
	Method     []byte // HTTP method
	Path       []byte // HTTP path without query and fragment
	User       []byte // account that the log names
	Up         uint64 // bytes from client to server
	Down       uint64 // bytes from server to client
}

// Result says what became of a line.
type Result uint8

// The results. Those from Malformed on are failures.
const (
	Use       Result = iota // the record holds what the line says
	Header                  // the line describes those that follow it
	Ignored                 // sound, but of no use here: a comment, an event of another kind, an answer to a query that has its own line
	Nameless                // sound and of the right kind, but it names no host and no path
	Denied                  // a request that did not go through
	Malformed               // not of this format
	NoHeader                // the format needs a header line, and none was there
	TooShort                // fields are missing
	BadTime                 // the time cannot be read
	Results                 // number of results
)

// String is the result's word in counters.
func (r Result) String() string {
	if r >= Results {
		return "unknown"
	}
	return [Results]string{"used", "headers", "ignored", "nameless", "denied", "malformed", "no_header", "too_short", "bad_time"}[r]
}

// Failed reports whether the line could not be read.
func (r Result) Failed() bool { return r >= Malformed }

// Parser reads the lines of one stream, in their order. It is for one
// goroutine.
type Parser interface {
	// Parse reads one line, without its line end. It fills r wholly where it
	// returns Use and leaves it in any state otherwise.
	Parse(line []byte, r *Record) Result
	// Reset forgets what earlier lines said: another file begins.
	Reset()
}

// maxText bounds a path, a method or a user in a record, in bytes; what lies
// behind is left out.
const maxText = 2048

// clear makes r say nothing.
func (r *Record) clear(kind signatures.Kind) { *r = Record{Kind: kind} }

// finish is the result of a line that was read.
func (r *Record) finish() Result {
	r.Path, r.User = r.Path[:min(len(r.Path), maxText)], r.User[:min(len(r.User), maxText)]
	r.Method = r.Method[:min(len(r.Method), 32)]
	if len(r.Name) == 0 && len(r.Path) == 0 {
		return Nameless
	}
	return Use
}
