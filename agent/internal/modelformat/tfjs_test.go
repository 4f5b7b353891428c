package modelformat

import (
	"testing"
)

func samplesTFJS(testing.TB) []sample {
	return []sample{
		{
			path: "model.json", data: []byte(sampleTFJS), format: "tfjs-graph-model",
			parts: []Part{{"group1-shard1of2.bin", "tfjs-weights"}, {"group1-shard2of2.bin", "tfjs-weights"}},
		},
	}
}

func FuzzTFJS(f *testing.F) { fuzzDetector(f, "tfjs", "model.json") }
