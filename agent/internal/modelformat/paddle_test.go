package modelformat

import (
	"testing"
)

func samplePaddle(version uint64) []byte {
	variable := pbBytes(3, message(pbString(1, "x"), pbBytes(2, pbVarint(1, 7))))
	operator := func(kind string) []byte {
		return pbBytes(4, message(pbBytes(1, pbString(1, "X")), pbBytes(2, pbString(1, "Out")), pbString(3, kind)))
	}
	block := message(pbVarint(1, 0), pbVarint(2, 1<<64-1), variable, operator("feed"), operator("conv2d"))
	return message(pbBytes(1, block), pbBytes(4, pbVarint(1, version)))
}

func samplesPaddle(testing.TB) []sample {
	return []sample{
		{
			path: "inference.pdmodel", data: samplePaddle(2_006_001), format: "paddle-program", parts: []Part{{Path: "inference.pdiparams"}},
			facts: map[string]string{FactFramework: "paddle", FactProducerVersion: "2.6.1"},
		},
		{path: "__model__", data: samplePaddle(0), format: "paddle-program"},
	}
}

// TestPaddleNothing: a block without its numbers, an operator without a type,
// a field too many.
func TestPaddleNothing(t *testing.T) {
	pad := pbString(3, "a string that makes it long enough")
	wantNothing(t, "numbers", "m.pdmodel", message(pbBytes(1, message(pbVarint(1, 0), pad, pbBytes(4, pbString(3, "feed"))))))
	wantNothing(t, "type", "m.pdmodel", message(pbBytes(1, message(pbVarint(1, 0), pbVarint(2, 0), pad, pbBytes(4, pbBytes(1, nil))))))
	wantNothing(t, "field", "m.pdmodel", append(samplePaddle(1), pbVarint(9, 1)...))
}

func FuzzPaddle(f *testing.F) { fuzzDetector(f, "paddle-program", "inference.pdmodel") }
