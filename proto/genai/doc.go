// Package genai reads what applications say about their own use of AI: the
// spans and log records of OTLP that carry gen_ai attributes, in the protobuf
// and the JSON encoding, and turns them into observations and findings. Agent
// and collector share it, so that a use means the same whichever of them hears
// of it first.
//
// [Reader.Traces] and [Reader.Logs] read one export request (the messages of
// https://github.com/open-telemetry/opentelemetry-proto, version 1) and return
// the uses in it, folded: a thousand spans of one application that asks one
// model are one [Use] with a count. The attributes that are looked at are one
// literal table ([Keys]), each with the convention that it comes from.
//
// # Content
//
// Prompts, completions, tool arguments and results, retrieved documents, bodies
// of log records, events and links of spans, names of spans and conversation,
// session and user ids are never read: the reader finds the attributes of the
// table by their keys and steps over the bytes of everything else by its length
// without copying it. A value that is too long or holds control characters is
// dropped and counted, even under a key of the table: a name is short.
//
// # Limits
//
// The package imports signatures and proto/finding, and the standard library.
// It does no I/O, starts no goroutine, writes no log and keeps no state between
// requests. It does not know whether a use is allowed.
package genai
