package genai

// field is one thing that records and resources tell.
type field uint8

// The fields.
const (
	fieldProvider field = iota
	fieldModel          // the model that answered
	fieldAsked          // the model that was asked for
	fieldAgent
	fieldMCP
	fieldOperation
	fieldToolType
	fieldServer
	fieldPort
	// Of resources.
	fieldService
	fieldServiceNamespace
	fieldInstance
	fieldHost
	fieldContainer
	fieldNamespace
	fieldPod
	fieldNode
	fieldCount
)

// fieldSubjects is how many fields name something that is used: a record that
// has none of them accompanies others that do.
const fieldSubjects = fieldMCP + 1

// recordFields is how many fields records have; the others are of resources.
const recordFields = fieldPort + 1

// Key is one attribute that is looked at.
type Key struct {
	Name       string
	Convention string // where the key is defined, a URL
	field      field
	rank       uint8 // of several keys of a field, the lowest rank counts
	cut        bool  // the value is followed by "." and a part of the SDK that made it
	context    bool  // says something only beside other keys: other telemetry uses it too
}

// The conventions, read on 2026-11-23.
const (
	semconv      = "https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/"
	semconvMCP   = "https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/registry/README.md"
	semconvPeer  = "https://opentelemetry.io/docs/specs/semconv/registry/attributes/server/"
	resources    = "https://opentelemetry.io/docs/specs/semconv/resource/"
	inference    = "https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md"
	openllmetry  = "https://www.traceloop.com/docs/openllmetry/contributing/semantic-conventions"
	vercel       = "https://ai-sdk.dev/docs/ai-sdk-core/telemetry"
	langsmithDoc = "https://docs.langchain.com/langsmith/trace-with-opentelemetry"
)

// Keys lists every attribute that is looked at; there is no other. What is
// deliberately not here: gen_ai.conversation.id, session.id, mcp.session.id,
// user.id and enduser.id, which point at persons, and all content.
func Keys() []Key {
	return []Key{
		// Whose model it is.
		{Name: "gen_ai.provider.name", Convention: semconv, field: fieldProvider, rank: 1},
		{Name: "gen_ai.system", Convention: semconv, field: fieldProvider, rank: 2}, // until 1.36
		{Name: "llm.provider", Convention: inference, field: fieldProvider, rank: 3},
		{Name: "ai.model.provider", Convention: vercel, field: fieldProvider, rank: 4, cut: true},
		{Name: "llm.system", Convention: inference, field: fieldProvider, rank: 5},
		{Name: "llm.vendor", Convention: openllmetry, field: fieldProvider, rank: 6}, // before 0.17
		{Name: "langsmith.metadata.ls_provider", Convention: langsmithDoc, field: fieldProvider, rank: 7},
		// The model that answered.
		{Name: "gen_ai.response.model", Convention: semconv, field: fieldModel, rank: 1},
		{Name: "llm.response.model", Convention: openllmetry, field: fieldModel, rank: 2},
		{Name: "ai.response.model", Convention: vercel, field: fieldModel, rank: 3},
		// The model that was asked for.
		{Name: "gen_ai.request.model", Convention: semconv, field: fieldAsked, rank: 1},
		{Name: "llm.request.model", Convention: openllmetry, field: fieldAsked, rank: 2},
		{Name: "llm.model_name", Convention: inference, field: fieldAsked, rank: 3},
		{Name: "embedding.model_name", Convention: inference, field: fieldAsked, rank: 4},
		{Name: "reranker.model_name", Convention: inference, field: fieldAsked, rank: 5},
		{Name: "ai.model.id", Convention: vercel, field: fieldAsked, rank: 6},
		{Name: "langsmith.metadata.ls_model_name", Convention: langsmithDoc, field: fieldAsked, rank: 7},
		// What was done, and by what.
		{Name: "gen_ai.agent.name", Convention: semconv, field: fieldAgent, rank: 1},
		{Name: "mcp.method.name", Convention: semconvMCP, field: fieldMCP, rank: 1},
		{Name: "gen_ai.operation.name", Convention: semconv, field: fieldOperation, rank: 1},
		{Name: "llm.request.type", Convention: openllmetry, field: fieldOperation, rank: 2},
		{Name: "openinference.span.kind", Convention: inference, field: fieldOperation, rank: 3},
		{Name: "traceloop.span.kind", Convention: openllmetry, field: fieldOperation, rank: 4},
		{Name: "ai.operationId", Convention: vercel, field: fieldOperation, rank: 5},
		{Name: "langsmith.span.kind", Convention: langsmithDoc, field: fieldOperation, rank: 6},
		{Name: "gen_ai.tool.type", Convention: semconv, field: fieldToolType, rank: 1},
		// Where it went.
		{Name: "server.address", Convention: semconvPeer, field: fieldServer, rank: 1, context: true},
		{Name: "server.port", Convention: semconvPeer, field: fieldPort, rank: 1, context: true},
		// Who says it: attributes of the resource.
		{Name: "service.name", Convention: resources, field: fieldService, rank: 1},
		{Name: "service.namespace", Convention: resources, field: fieldServiceNamespace, rank: 1},
		{Name: "service.instance.id", Convention: resources, field: fieldInstance, rank: 1},
		{Name: "host.name", Convention: resources, field: fieldHost, rank: 1},
		{Name: "container.id", Convention: resources, field: fieldContainer, rank: 1},
		{Name: "k8s.namespace.name", Convention: resources, field: fieldNamespace, rank: 1},
		{Name: "k8s.pod.name", Convention: resources, field: fieldPod, rank: 1},
		{Name: "k8s.node.name", Convention: resources, field: fieldNode, rank: 1},
	}
}
