package export

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxReason bounds a text of the collector's that goes into a log, in bytes.
const maxReason = 300

// partialSuccess reads an ExportLogsServiceResponse: field 1 is partial_success
// with rejected_log_records (1) and error_message (2), see
// https://github.com/open-telemetry/opentelemetry-proto, collector/logs/v1. The
// generated package would bring gRPC. What is not readable counts as no rejection.
func partialSuccess(body []byte) (rejected int64, reason string) {
	fields(body, func(number protowire.Number, _ uint64, data []byte) {
		if number != 1 || data == nil {
			return
		}
		fields(data, func(number protowire.Number, value uint64, data []byte) {
			switch {
			case number == 1 && data == nil:
				rejected = max(int64(value), 0)
			case number == 2 && data != nil:
				reason = printable(string(data))
			}
		})
	})
	return rejected, reason
}

// statusMessage reads the message (2) of a google.rpc.Status, which OTLP asks
// for in the body of an error.
func statusMessage(body []byte) (text string) {
	fields(body, func(number protowire.Number, _ uint64, data []byte) {
		if number == 2 && data != nil {
			text = printable(string(data))
		}
	})
	return text
}

// fields calls visit for every varint field, with data nil, and every
// length-delimited field of a message, until it ends or makes no sense.
func fields(message []byte, visit func(number protowire.Number, value uint64, data []byte)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		switch kind {
		case protowire.VarintType:
			value, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return
			}
			visit(number, value, nil)
			message = message[n:]
		case protowire.BytesType:
			data, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return
			}
			if data == nil {
				data = []byte{}
			}
			visit(number, 0, data)
			message = message[n:]
		default:
			n := protowire.ConsumeFieldValue(number, kind, message)
			if n < 0 {
				return
			}
			message = message[n:]
		}
	}
}

// printable bounds s and replaces what does not belong into a log line.
func printable(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason] + "…"
	}
	s = strings.ToValidUTF8(s, "?")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
