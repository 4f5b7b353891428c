package http

import "bytes"

// marks are what the fields of a request say about the program that sent it.
type marks struct {
	json, events bool // the answers that it accepts: JSON, an event stream
	body         bool // what it sends is JSON
	browser      bool
	session      bool // it names a session of the Model Context Protocol
	version      []byte
	unusual      bool // it names a version of that protocol in no form that is known
	agent        Client
	anthropic    []byte
	stainless    string
}

func (r *Request) mark(name Name, value []byte) {
	m := &r.marks
	switch name {
	case Accept:
		m.json = m.json || containsFold(value, "application/json")
		m.events = m.events || containsFold(value, "text/event-stream")
	case ContentType:
		m.body = hasPrefixFold(value, "application/json")
	case FetchMode:
		m.browser = true
	case UserAgent:
		m.browser = m.browser || hasPrefixFold(value, "mozilla/")
		m.agent = clientOf(value)
	case MCPSession, MCPMethod:
		m.session = true
	case MCPVersion:
		if isDate(value) {
			m.version = value
		} else {
			m.unusual = true
		}
	case AnthropicVersion:
		if isDate(value) {
			m.anthropic = value
		}
	case StainlessLang:
		for _, lang := range stainlessLanguages {
			if foldEqual(value, lang) {
				m.stainless = lang
			}
		}
	}
}

// MCPKind says how sure the fields make it that a request speaks the Model
// Context Protocol (https://modelcontextprotocol.io/specification).
type MCPKind uint8

// The kinds. MCPVersioned and MCPInSession rest on fields that no other
// protocol has; MCPStream and MCPEvents on what its transports demand, which
// others may do too.
const (
	NoMCP        MCPKind = iota
	MCPVersioned         // Mcp-Protocol-Version, in the form of a date
	MCPInSession         // Mcp-Session-Id or Mcp-Method, or a version in another form
	MCPStream            // Streamable HTTP: a POST of JSON that accepts both JSON and an event stream
	MCPEvents            // HTTP+SSE: an event stream for a program that is no browser, or a POST of JSON to a session in the query
)

// MCP says whether r speaks the Model Context Protocol; version is its date
// with MCPVersioned, else nil.
func (r *Request) MCP() (kind MCPKind, version []byte) {
	m := &r.marks
	switch {
	case m.version != nil:
		return MCPVersioned, m.version
	case m.session || m.unusual:
		return MCPInSession, nil
	case string(r.Method) == "POST" && m.body:
		if m.json && m.events {
			return MCPStream, nil
		}
		if r.hasQueryKey("sessionid") || r.hasQueryKey("session_id") {
			return MCPEvents, nil
		}
	case string(r.Method) == "GET" && m.events && !m.browser:
		return MCPEvents, nil
	}
	return NoMCP, nil
}

// hasQueryKey reports whether the query has a key of this name, in any case.
func (r *Request) hasQueryKey(lower string) bool {
	_, ok := r.QueryValue(lower)
	return ok
}

// QueryValue returns the value of the first key of this name, given in lower
// case, as it was sent. It is for what must be understood on the spot: a query
// is never kept.
func (r *Request) QueryValue(lower string) (value []byte, ok bool) {
	for rest := r.query; len(rest) > 0; {
		part := rest
		if i := bytes.IndexByte(rest, '&'); i >= 0 {
			part, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if len(part) > len(lower) && part[len(lower)] == '=' && foldEqual(part[:len(lower)], lower) {
			return part[len(lower)+1:], true
		}
	}
	return nil, false
}

// Client is a program that is known to speak to AI services, as it names
// itself. Product is one of a fixed list and Version digits and dots, or a
// date: nothing that a user or an administrator chose, hence no secret, can be
// in it.
type Client struct {
	Product string // "" is none that is known
	Version []byte // may be empty
}

// Client returns the program that sent r: by its User-Agent, else by a field
// that only such programs send.
func (r *Request) Client() Client {
	m := &r.marks
	switch {
	case m.agent.Product != "":
		return m.agent
	case m.anthropic != nil:
		return Client{"anthropic-version", m.anthropic}
	case m.stainless != "":
		return Client{Product: m.stainless}
	}
	return Client{}
}

// agents are the beginnings of the User-Agent of client libraries and tools,
// up to their version. Stainless writes the class, a slash, the language and
// the version after a blank.
//
// https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py
// https://github.com/anthropics/anthropic-sdk-typescript/blob/main/src/client.ts
// https://github.com/googleapis/python-genai/blob/main/google/genai/_api_client.py
// https://github.com/ollama/ollama-python/blob/main/ollama/_client.py
// https://github.com/openai/codex/blob/main/codex-rs/core/src/default_client.rs
// https://github.com/BerriAI/litellm/blob/main/litellm/llms/custom_httpx/http_handler.py
var agents = [...]string{
	"OpenAI/Python", "AsyncOpenAI/Python", "AzureOpenAI/Python", "AsyncAzureOpenAI/Python", "OpenAI/JS", "AzureOpenAI/JS",
	"OpenAI/Go", "OpenAI/Java", "OpenAI/Ruby",
	"Anthropic/Python", "AsyncAnthropic/Python", "Anthropic/JS", "Anthropic/Go", "Anthropic/Java", "Anthropic/Ruby",
	"claude-cli", "claude-code", "codex_cli_rs", "codex-cli", "google-genai-sdk", "GeminiCLI", "ollama-python", "ollama-js", "ollama", "litellm",
}

var stainlessLanguages = [...]string{"python", "js", "go", "java", "kotlin", "ruby", "php", "csharp", "typescript"}

func clientOf(value []byte) Client {
	for _, product := range agents {
		if len(value) <= len(product) || string(value[:len(product)]) != product {
			continue
		}
		if c := value[len(product)]; c == '/' || c == ' ' {
			return Client{product, versionOf(value[len(product)+1:])}
		}
	}
	return Client{}
}

// versionOf returns the digits and dots at the start of b.
func versionOf(b []byte) []byte {
	const longest = 16
	n := 0
	for n < len(b) && n < longest && ('0' <= b[n] && b[n] <= '9' || b[n] == '.' && n > 0 && b[n-1] != '.') {
		n++
	}
	return bytes.TrimSuffix(b[:n], []byte("."))
}

// isDate reports whether b has the form of 2025-06-18.
func isDate(b []byte) bool {
	if len(b) != len("2025-06-18") {
		return false
	}
	for i, c := range b {
		if (i == 4 || i == 7) != (c == '-') || c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
