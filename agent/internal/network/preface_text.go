package network

import "bytes"

// longestLine bounds a line of a text protocol.
const longestLine = 1024

// textLine returns the line at the start of b, without its end; v is wrapAgain
// where it is whole.
func textLine(b []byte) (line []byte, n int, v verdict) {
	if b[0] < ' ' || b[0] > '~' {
		return nil, 0, wrapNot
	}
	end := bytes.IndexByte(b[:min(len(b), longestLine)], '\n')
	if end >= 0 {
		return bytes.TrimRight(b[:end], "\r "), end + 1, wrapAgain
	}
	if len(b) >= longestLine {
		return nil, 0, wrapNot
	}
	return nil, len(b) + 1, wrapMore
}

// command reports whether a line is a command, or starts with one and a space.
func command(line []byte, names ...string) bool {
	for _, name := range names {
		if len(line) >= len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) && (len(line) == len(name) || line[len(name)] == ' ') {
			return true
		}
	}
	return false
}

// mayStart reports whether b can be the start of a line with one of the
// commands.
func mayStart(b []byte, names ...string) bool {
	for _, name := range names {
		if n := min(len(b), len(name)); bytes.EqualFold(b[:n], []byte(name)[:n]) {
			return true
		}
	}
	return false
}

// lineProtocol reads a protocol whose client speaks in lines. It starts with one of
// the openings, and a line that over accepts is the last before a hello.
func lineProtocol(b []byte, stage int, over func(line []byte) bool, openings ...string) (int, verdict) {
	if stage == 0 && !mayStart(b, openings...) {
		return 0, wrapNot
	}
	line, n, v := textLine(b)
	switch {
	case v != wrapAgain:
		return n, v
	case over(line):
		return n, wrapOver
	case stage == 0 && !command(line, openings...):
		return 0, wrapNot
	}
	return n, wrapAgain
}

// readSMTP reads SMTP and LMTP up to STARTTLS (RFC 3207); NNTP (RFC 4642),
// ManageSieve (RFC 5804) and IRC say it with the same word.
func readSMTP(b []byte, stage int, _ *preface) (int, verdict) {
	over := func(line []byte) bool { return bytes.EqualFold(line, []byte("STARTTLS")) }
	return lineProtocol(b, stage, over, "EHLO", "HELO", "LHLO", "STARTTLS", "CAPABILITIES", "CAPABILITY", "CAP")
}

// readPOP3 reads POP3 up to STLS (RFC 2595, section 4).
func readPOP3(b []byte, stage int, _ *preface) (int, verdict) {
	over := func(line []byte) bool { return bytes.EqualFold(line, []byte("STLS")) }
	return lineProtocol(b, stage, over, "CAPA", "STLS", "AUTH")
}

// readFTP reads FTP up to AUTH TLS (RFC 4217, section 4).
func readFTP(b []byte, stage int, _ *preface) (int, verdict) {
	over := func(line []byte) bool {
		return bytes.EqualFold(line, []byte("AUTH TLS")) || bytes.EqualFold(line, []byte("AUTH SSL")) || bytes.EqualFold(line, []byte("AUTH TLS-C"))
	}
	return lineProtocol(b, stage, over, "AUTH TLS", "AUTH SSL", "AUTH TLS-C", "FEAT")
}

// readIMAP reads IMAP up to STARTTLS (RFC 9051, section 6.2.1): each line is a
// tag and a command.
func readIMAP(b []byte, stage int, _ *preface) (int, verdict) {
	line, n, v := textLine(b)
	if stage == 0 && !tagged(b) {
		return 0, wrapNot
	}
	if v != wrapAgain {
		return n, v
	}
	_, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return 0, wrapNot
	}
	if bytes.EqualFold(rest, []byte("STARTTLS")) {
		return n, wrapOver
	}
	if stage == 0 && !command(rest, "CAPABILITY", "ID", "NOOP") {
		return 0, wrapNot
	}
	return n, wrapAgain
}

// tagged reports whether b can be the start of a first line of IMAP.
func tagged(b []byte) bool {
	const longest = 16
	tag, rest, ok := bytes.Cut(b, []byte{' '})
	if len(tag) > longest || ok && len(tag) == 0 {
		return false
	}
	for _, c := range tag {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`(){%*"\+`), c) >= 0 {
			return false
		}
	}
	return !ok || mayStart(rest, "CAPABILITY", "ID", "NOOP", "STARTTLS")
}

// readXMPP reads elements up to <starttls/> (RFC 6120, section 5.4.2.1).
func readXMPP(b []byte, stage int, _ *preface) (int, verdict) {
	const empty, ending = "<starttls", "</starttls"
	if stage == 0 && startsWith(b, "<?xml ") == wrapNot && startsWith(b, "<stream:stream") == wrapNot {
		return 0, wrapNot
	}
	if stage > 0 && b[0] != '<' && b[0] != ' ' && b[0] != '\n' && b[0] != '\r' {
		return 0, wrapNot
	}
	end := bytes.IndexByte(b[:min(len(b), longestLine)], '>')
	switch {
	case end < 0 && len(b) < longestLine:
		return len(b) + 1, wrapMore
	case end < 0:
		return 0, wrapNot
	}
	element := bytes.TrimSpace(b[:end])
	if bytes.HasPrefix(element, []byte(ending)) || bytes.HasPrefix(element, []byte(empty)) && element[len(element)-1] == '/' {
		return end + 1, wrapOver
	}
	return end + 1, wrapAgain
}
