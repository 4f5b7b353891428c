package signatures

// Provider is who builds or runs a thing: the head of a catalogue file.
type Provider struct {
	ID      string `yaml:"id"`               // slug, ^[a-z0-9][a-z0-9-]{0,62}$
	Name    string `yaml:"name"`             // as the provider writes it
	Country string `yaml:"country"`          // ISO 3166-1 alpha-2, or "unknown"
	Parent  string `yaml:"parent,omitempty"` // provider id of the owner, where there is one
}

// Document is one catalogue file: a provider and its signatures.
type Document struct {
	Schema     string      `yaml:"schema"` // "signatures/v1"
	Provider   Provider    `yaml:"provider,omitempty"`
	Signatures []Signature `yaml:"signatures,omitempty"`
	// Suppressions are for the files of an organisation alone, see LoadOverlay.
	// A file that holds nothing else needs no provider.
	Suppressions []Suppression `yaml:"suppressions,omitempty"`
}

// AssetKind says what kind of AI a signature describes.
type AssetKind string

// The kinds of asset.
const (
	AssetService     AssetKind = "service"
	AssetRuntime     AssetKind = "runtime"
	AssetApp         AssetKind = "app"
	AssetAgent       AssetKind = "agent" // coding and other agents run as a program or command line tool
	AssetExtension   AssetKind = "extension"
	AssetMCPServer   AssetKind = "mcp_server"
	AssetModelFormat AssetKind = "model_format"
	AssetModelStore  AssetKind = "model_store"
	AssetSDK         AssetKind = "sdk"          // a library that programs are built with
	AssetModelFamily AssetKind = "model_family" // models of one line, known by their names
)

// Signature is one entry of the catalogue. Every rule is data; the fields that
// hold rules (Hosts … Models) are selectors, of which any may hit.
type Signature struct {
	ID         string    `yaml:"id"` // "<provider>.<product>", stable, never reused
	Name       string    `yaml:"name"`
	Kind       AssetKind `yaml:"kind"`
	Categories []string  `yaml:"categories"`            // see Categories
	Status     string    `yaml:"status"`                // active, retired or renamed
	ReplacedBy string    `yaml:"replaced_by,omitempty"` // signature id, with status renamed
	Enabled    *bool     `yaml:"enabled,omitempty"`     // nil means true; false for entries that rest on one unverified source
	Unverified bool      `yaml:"unverified,omitempty"`  // rests on memory or on one weak list: never enabled
	Confidence uint8     `yaml:"confidence"`            // 1 to 100: what one strong hit is worth
	Sources    []Source  `yaml:"sources"`               // at least one
	Notes      string    `yaml:"notes,omitempty"`

	Hosts     []HostRule     `yaml:"hosts,omitempty"`
	Paths     []PathRule     `yaml:"paths,omitempty"`
	Fields    []FieldRule    `yaml:"fields,omitempty"`
	Processes []ProcessRule  `yaml:"processes,omitempty"`
	Arguments []ArgumentRule `yaml:"arguments,omitempty"`
	Files     []FileRule     `yaml:"files,omitempty"`
	Ports     []PortRule     `yaml:"ports,omitempty"`
	Formats   []FormatRule   `yaml:"formats,omitempty"`
	// GenAIProviders are names that applications give the provider in their own
	// telemetry (gen_ai.provider.name and its forerunners), in lower case.
	GenAIProviders []string        `yaml:"gen_ai_providers,omitempty"`
	Packages       []PackageRule   `yaml:"packages,omitempty"`
	Extensions     []ExtensionRule `yaml:"extensions,omitempty"`
	Models         []ModelRule     `yaml:"models,omitempty"` // of kind model_family alone

	Family  string   `yaml:"family,omitempty"`  // of kind model_family: the word that inventories use
	Licence *Licence `yaml:"licence,omitempty"` // of kind model_family
	Risk    *Risk    `yaml:"risk,omitempty"`

	Tests Tests `yaml:"tests"`

	Provider Provider `yaml:"-"` // the head of the file it came from, set by Load
	File     string   `yaml:"-"` // where it was loaded from, set by Load
	Line     int      `yaml:"-"`
}

// Source says where a fact was read and when.
type Source struct {
	URL     string `yaml:"url"`
	Checked string `yaml:"checked"` // date, 2006-01-02
	Note    string `yaml:"note,omitempty"`
}

// HostMatch says how a host rule compares.
type HostMatch string

// The ways a host rule compares. All compare whole labels, case-insensitively.
const (
	HostExact    HostMatch = "exact"    // the name itself
	HostSuffix   HostMatch = "suffix"   // the name itself and every name below it
	HostWildcard HostMatch = "wildcard" // exactly one label of the rule is "*" and stands for exactly one label
)

// HostRole says what a host is for. A hit on auth, cdn or telemetry is no use
// of the service by itself.
type HostRole string

// The roles of a host.
const (
	RoleAPI       HostRole = "api"
	RoleWebUI     HostRole = "web_ui"
	RoleAuth      HostRole = "auth"
	RoleCDN       HostRole = "cdn"
	RoleTelemetry HostRole = "telemetry"
	RoleDownload  HostRole = "download"
	RoleMCP       HostRole = "mcp"
)

// HostRule matches a host name.
type HostRule struct {
	Value string    `yaml:"value"` // lower case, no final dot
	Match HostMatch `yaml:"match"`
	Role  HostRole  `yaml:"role"`
	// Shared marks a host that also serves things that are no AI: such a rule
	// hits only together with one of the signature's path rules.
	Shared bool `yaml:"shared,omitempty"`
	// Label says what the "*" of a wildcard names, see HostLabels; Hit.Label is
	// its text.
	Label string `yaml:"label,omitempty"`
}

// PathRule matches the path of an HTTP request, its query removed, at a label
// ("/") boundary: "/v1/messages" as a suffix matches "/anthropic/v1/messages".
// With AnyHost it is evidence by itself, on whatever host; otherwise it only
// completes a shared host rule of the same signature. "*" within a segment
// stands for any run of characters of that segment: "/model/*/invoke".
type PathRule struct {
	Suffix  string `yaml:"suffix,omitempty"`
	Prefix  string `yaml:"prefix,omitempty"`
	Method  string `yaml:"method,omitempty"` // upper case; "" is any
	AnyHost bool   `yaml:"any_host,omitempty"`
	Weak    bool   `yaml:"weak,omitempty"` // with any_host: needs a second hit of another kind
}

// FieldRule matches what the header fields of an HTTP request give away, on
// whatever host that no host rule knows: Field is one of Fields, and Value what
// the sensor made of it, where "*" stands for any run of characters. What a
// client calls itself proves nothing alone, so rules for http.client are Weak.
type FieldRule struct {
	Field Evidence `yaml:"field"`          // http.mcp or http.client
	Value string   `yaml:"value"`          // e.g. "session", "20*", "OpenAI/*"
	Weak  bool     `yaml:"weak,omitempty"` // needs a second hit of another kind
}

// ProcessRule matches a program by the base name of its executable (".exe" and
// case removed on Windows names). Where the program is an interpreter of scripts,
// the rule is tried on the script it runs, too. A name that other programs bear
// as well is Weak.
type ProcessRule struct {
	Name     string   `yaml:"name"`
	Match    string   `yaml:"match,omitempty"`    // "exact" (default) or "prefix"
	Argument string   `yaml:"argument,omitempty"` // an element of the command line that must equal this, e.g. "serve"
	OS       []string `yaml:"os,omitempty"`       // linux, darwin, windows; none is any
	Weak     bool     `yaml:"weak,omitempty"`     // the name alone proves nothing: needs a second hit of another kind
}

// ArgumentRule matches one element of a command line or the path of the
// executable: Contains at path-segment boundaries (the characters beside it
// are "/", "\", "@", "=" or the ends), so that interpreted tools are found by
// their package path.
type ArgumentRule struct {
	Contains string `yaml:"contains,omitempty"` // e.g. "@anthropic-ai/claude-code"
	Module   string `yaml:"module,omitempty"`   // `python -m vllm.entrypoints.openai.api_server`: this module or below it
	Weak     bool   `yaml:"weak,omitempty"`
}

// FileRule matches a file or folder by its place. "~" stands for any home
// directory, "*" within a segment for any run of characters of that segment, "#"
// for one that begins with a digit, such as a version; a value that starts with neither "~" nor "/" matches below any folder. Rules of
// kind store and binary also match whatever lies below their path; those of kind
// binary are tried on the executable of a process, too. Windows paths are
// written with "/" and compared without regard to case.
type FileRule struct {
	Path string   `yaml:"path"`
	Kind string   `yaml:"kind"` // config, data, binary, store
	OS   []string `yaml:"os,omitempty"`
	Weak bool     `yaml:"weak,omitempty"`
}

// PortRule is a default listening port. It is always weak: a port never
// stands alone.
type PortRule struct {
	Port     uint16 `yaml:"port"`
	Protocol string `yaml:"protocol,omitempty"` // tcp (default) or udp
}

// FormatRule matches a model file by the format that its content proved, or by
// magic bytes.
type FormatRule struct {
	Format     string   `yaml:"format"`               // e.g. gguf; the name the agent's parser reports
	Magic      []Magic  `yaml:"magic,omitempty"`      // any of them; documentation and test vectors of the parser's rule
	Extensions []string `yaml:"extensions,omitempty"` // customary, never evidence alone
	Executable string   `yaml:"executable_content"`   // none, possible or yes: may loading it run code
}

// Magic is a run of bytes at an offset.
type Magic struct {
	Offset int    `yaml:"offset"`
	Bytes  string `yaml:"bytes"` // hex, spaces allowed
}

// Tests are the signature's own proof: sigtest runs each Positive example,
// which must match this signature, and each Negative one, which must not.
// Positive examples of one signature are negatives of every other, unless
// listed in Shares.
type Tests struct {
	Positive []Example `yaml:"positive"`         // at least one; every selector must be hit by one
	Negative []Example `yaml:"negative"`         // at least one
	Shares   []string  `yaml:"shares,omitempty"` // signature ids that rightly match the same examples
}

// Example is an observation in short form. Set the fields that the sensor
// would bring together.
type Example struct {
	Host       string   `yaml:"host,omitempty"`
	Method     string   `yaml:"method,omitempty"`
	Path       string   `yaml:"path,omitempty"`       // HTTP path
	MCP        string   `yaml:"mcp,omitempty"`        // see AttributeHTTPMCP
	Client     string   `yaml:"client,omitempty"`     // see AttributeHTTPClient
	Process    string   `yaml:"process,omitempty"`    // base name
	Executable string   `yaml:"executable,omitempty"` // path
	Arguments  []string `yaml:"arguments,omitempty"`
	Ports      []uint16 `yaml:"ports,omitempty"`
	File       string   `yaml:"file,omitempty"`
	Format     string   `yaml:"format,omitempty"`
	OS         string   `yaml:"os,omitempty"`
	// GenAIProvider makes it what an application says of itself, with at most a
	// host, the server that it called, and its port.
	GenAIProvider string `yaml:"gen_ai_provider,omitempty"`

	Package   string `yaml:"package,omitempty"`   // "pypi/openai": installed where its ecosystem puts it
	Extension string `yaml:"extension,omitempty"` // "vscode/anthropic.claude-code", likewise
	Model     string `yaml:"model,omitempty"`     // name of a model, for Set.Family
	Folder    string `yaml:"-"`                   // of a JetBrains plugin; Load takes it from the rules of the signature
}
