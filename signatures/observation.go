package signatures

import (
	"net/netip"
	"time"
)

// Evidence names the kind of thing that was seen. The values are stable: they
// are written into findings, and rules of an inventory may refer to them.
type Evidence string

// The kinds of evidence a sensor can bring.
const (
	EvidenceTLS             Evidence = "tls.sni"          // server_name of a TLS or DTLS ClientHello (RFC 6066, section 3)
	EvidenceQUIC            Evidence = "quic.sni"         // the same, from a QUIC Initial (RFC 9001)
	EvidenceDNS             Evidence = "dns.name"         // name asked for in a DNS query (RFC 1035)
	EvidenceDNSAnswer       Evidence = "dns.answer"       // name that an earlier DNS answer gave to the server address of a flow
	EvidenceProxyTarget     Evidence = "proxy.target"     // name that a client asked a SOCKS proxy to connect to (RFC 1928)
	EvidenceTLSOuter        Evidence = "tls.outer_sni"    // server_name that stands in front of an encrypted one (RFC 9849): not the destination, so no rule matches it
	EvidenceHTTPHost        Evidence = "http.host"        // Host field or absolute-form authority (RFC 9112)
	EvidenceHTTPPath        Evidence = "http.path"        // path of the request target, query removed
	EvidenceHTTPMCP         Evidence = "http.mcp"         // what the fields of a request say of the Model Context Protocol, see AttributeHTTPMCP
	EvidenceHTTPClient      Evidence = "http.client"      // client library or tool that a request names, see AttributeHTTPClient; always weak
	EvidencePort            Evidence = "net.port"         // server or listening port; always weak
	EvidenceProcessName     Evidence = "process.name"     // base name of the executable, or the kernel's name where the path is hidden
	EvidenceProcessPath     Evidence = "process.exe"      // absolute path of the executable
	EvidenceProcessArgument Evidence = "process.argument" // one element of the command line
	EvidenceFileFormat      Evidence = "file.format"      // format decided by content
	EvidenceFilePath        Evidence = "file.path"        // where a file or folder lies

	// What an application says in its own telemetry (OpenTelemetry, gen_ai
	// attributes), see package proto/genai.
	EvidenceGenAIProvider Evidence = "gen_ai.provider" // gen_ai.provider.name and its forerunners
	EvidenceGenAIModel    Evidence = "gen_ai.model"    // name of the model that answered, else of the one asked; never decides
	EvidenceGenAIServer   Evidence = "gen_ai.server"   // server.address: the host name that the application called
	EvidenceGenAIAgent    Evidence = "gen_ai.agent"    // gen_ai.agent.name; never decides
	EvidenceMCPMethod     Evidence = "mcp.method"      // mcp.method.name; never decides
)

// The attributes of a request that field rules look at; each bears the name of
// its evidence. A sensor sets them from header fields, never from a body, and
// puts no part of a value into them that could be a secret.
const (
	// AttributeHTTPMCP is a protocol version such as "2025-06-18"; "session"
	// where the fields name a session or a method of the Model Context Protocol;
	// "stream" where the request is what its Streamable HTTP transport demands
	// (a POST of JSON that accepts JSON and an event stream), and "events" where
	// it is what the older HTTP+SSE transport demands. The last two are customs
	// of others, too.
	AttributeHTTPMCP = string(EvidenceHTTPMCP)
	// AttributeHTTPClient is the product and version of a client that the sensor
	// knows, e.g. "OpenAI/Python 1.30.1".
	AttributeHTTPClient = string(EvidenceHTTPClient)
)

// Kind says what was looked at. It is the "kind" of one line of
// `gnomon-agent replay --emit observations` and `gnomon-agent scan`.
type Kind string

// The kinds of observation.
const (
	KindTLS       Kind = "tls"
	KindQUIC      Kind = "quic"
	KindDNS       Kind = "dns"
	KindHTTP      Kind = "http"
	KindFlow      Kind = "flow" // a connection known only by its address, named by an earlier DNS answer where one was seen
	KindProcess   Kind = "process"
	KindModelFile Kind = "model_file"
	KindFile      Kind = "file" // a file or folder known by its place (configuration, store)

	KindApplication Kind = "application" // what an application says about itself in its telemetry
)

// Process is what is known of a program: one that runs, or the one that owns a
// connection. The zero value means nothing is known.
type Process struct {
	PID        int32
	ParentPID  int32
	StartedAt  time.Time
	Name       string   // base name of the executable
	Executable string   // absolute path, "" where the system hides it
	Arguments  []string // whole command line, for matching only: it never leaves the host
	User       string   // account name, or the numeric id where no name is known
	Container  string   // container id where one is seen
	Parents    []string // short names of the parent, its parent and so on, where they were asked for

	PodUID, PodNamespace, PodName string // of the Kubernetes pod; the names only where the node tells them
}

// File is what is known of one file. Facts come from its header alone.
type File struct {
	Path       string
	Size       int64
	ModTime    time.Time
	Format     string            // name of the format, see signatures/README.md; "" where it was not decided by content
	Problem    string            // why the content is not sound, "" where it is
	Confidence uint8             // how sure the content makes Format, 1 to 100; 0 where it was not decided by content
	Facts      map[string]string // header facts, e.g. architecture, name, license, parameters
	SHA256     string            // lower-case hex where a store names it or it was computed, else ""
	Store      string            // "ollama", "huggingface" …, "" outside a store
	Files      []string          // further files of the same model: shards, the folder's parts
	Owner      string            // account that owns the file
}

// Flow is what is known of a connection or a lookup.
type Flow struct {
	Protocol  string // "tcp" or "udp"
	Client    netip.AddrPort
	Server    netip.AddrPort
	BytesUp   uint64
	BytesDown uint64
}

// Application is what an application says in its own telemetry: which AI it
// used, and where it runs. Content, users and sessions are not part of it.
type Application struct {
	Provider   string // as the application spells it, e.g. azure.ai.openai
	Model      string // that answered
	AskedModel string
	Operation  string // e.g. chat, embeddings
	Agent      string // name of the agent that acted
	ToolType   string // e.g. function
	MCPMethod  string // e.g. tools/call
	Server     string // host name or address that was called, as normalised by NormalizeHost
	Port       uint16 // of the server; 0 where it is not said

	Service, ServiceNamespace, Instance string // service.name …
	Host, Container                     string
	Namespace, Pod, Node                string // of Kubernetes
}

// Observation is one thing that a sensor saw once: no verdict, no owner, no
// payload. Which fields are set follows from Kind. A sensor hands an
// Observation over by value and keeps no reference to its slices and maps.
type Observation struct {
	Sensor string // "network", "process", "file", "log", "application"
	Kind   Kind
	Time   time.Time
	OS     string // GOOS of the machine that was looked at; "" where it is not known, which no rule minds

	// Name is a host name as normalised by NormalizeHost, for the network
	// kinds; "" otherwise. NameEvidence says how it was learnt.
	Name         string
	NameEvidence Evidence
	Method       string // HTTP method, "" otherwise
	Path         string // HTTP path without its query, "" otherwise
	Flow         Flow

	// Remote says that somebody else's log told of it: no program of this host
	// owns the connection, Flow.Client says whose it is, and Process.User is the
	// account that the log names.
	Remote bool

	// Continued says that the connection was observed before: nothing is new
	// but the bytes that Flow has, which went since the last observation of it
	// and belong to that. Such an observation has no name, and is no use.
	Continued bool

	Process     Process     // KindProcess: the program seen. Network kinds: filled in by attribution, after matching.
	Application Application // KindApplication
	Ports       []uint16    // KindProcess: TCP ports that the process listens on
	File        File

	// Count is how many sightings this stands for, where a sensor folds before
	// it hands over; 0 is one.
	Count uint64

	Attributes map[string]string // further facts for `replay`, e.g. tls.alpn, dns.type, and AttributeHTTPMCP; may be nil
}
