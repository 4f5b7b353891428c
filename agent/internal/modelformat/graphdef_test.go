package modelformat

import (
	"testing"
)

func samplesGraphDef(testing.TB) []sample {
	return []sample{
		{path: "frozen.pb", data: sampleGraphDef(), format: "tf-graphdef"},
	}
}

func FuzzGraphDef(f *testing.F) { fuzzDetector(f, "tf-graphdef", "frozen.pb") }
