// Package otlpwire maps findings and coverage reports to OTLP log records and
// back. It is the only place that names attribute keys.
//
// Keys follow the OpenTelemetry semantic conventions 1.43 where they have one
// (https://opentelemetry.io/docs/specs/semconv/registry/attributes/); the rest
// begins with "gnomon.". What identifies the agent and its host travels as
// resource attributes, once for all records of a request.
//
// It may import proto/finding and the OTLP log messages, and nothing that
// brings gRPC: the agent links it. It does not judge what it decodes: a field
// of the wrong type is an error here, a field with an impossible value is the
// receiver's to refuse.
package otlpwire
