package modelformat

import (
	"testing"
)

const samplePMML = `<?xml version="1.0" encoding="UTF-8"?>
<!-- made <by> a tool -->
<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <Header copyright="Example"><Application name="JPMML-SkLearn" version="1.7"/></Header>
 <DataDictionary/></PMML>`

func samplesPMML(testing.TB) []sample {
	return []sample{
		{path: "m.pmml", data: []byte(samplePMML), format: "pmml", facts: map[string]string{FactFormatVersion: "4.4", FactProducer: "JPMML-SkLearn", FactProducerVersion: "1.7"}},
		{path: "m.xml", data: []byte("<PMML version='2.1'>\n<Header copyright='x'/></PMML>"), format: "pmml", facts: map[string]string{FactFormatVersion: "2.1"}},
	}
}

// TestPMMLNothing: a page about it, a schema, another root.
func TestPMMLNothing(t *testing.T) {
	for name, s := range map[string]string{
		"page":    `<html><pre><PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"></pre></html>`,
		"text":    `PMML: <PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">`,
		"longer":  `<PMMLVersion version="4.4" xmlns="http://www.dmg.org/PMML-4_4"/>`,
		"no more": `<PMML version="4.4"><other/></PMML>`,
	} {
		wantNothing(t, name, "m.pmml", []byte(s))
	}
}

func FuzzPMML(f *testing.F) { fuzzDetector(f, "pmml", "m.pmml") }
