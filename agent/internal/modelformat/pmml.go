package modelformat

import (
	"bytes"
	"strings"
)

// detectPMML recognises the Predictive Model Markup Language: an XML document
// with the root element PMML, a version, and the namespace of dmg.org or, before
// version 3, a header. Source: https://dmg.org/pmml/v4-4-1/GeneralStructure.html.
func detectPMML(f *File) (Result, bool) {
	i := bytes.Index(f.head, []byte("<PMML"))
	if i < 0 || !bytes.HasPrefix(bytes.TrimLeft(f.head, "\ufeff \r\n\t"), []byte("<")) {
		return Result{}, false
	}
	head := string(f.head)
	tag, rest, ok := strings.Cut(head[i+len("<PMML"):], ">")
	if !ok || tag == "" || strings.Trim(tag[:1], " \r\n\t") != "" || !xmlProlog(head[:i]) {
		return Result{}, false
	}
	tag = strings.NewReplacer("\n", " ", "\r", " ", "\t", " ", "'", `"`).Replace(tag)
	version := xmlAttribute(tag, "version")
	if version == "" || !strings.Contains(tag, "dmg.org/PMML-") && !strings.Contains(rest, "<Header") {
		return Result{}, false
	}
	res := Result{Format: "pmml", Confidence: Certain}
	res.set(FactFormatVersion, version)
	if _, app, ok := strings.Cut(rest, "<Application"); ok {
		app, _, _ = strings.Cut(app, ">")
		res.set(FactProducer, xmlAttribute(app, "name"))
		res.set(FactProducerVersion, xmlAttribute(app, "version"))
	}
	return res, true
}

// xmlProlog says whether what stands before the root element is made of
// declarations and comments: no other element and no text.
func xmlProlog(s string) bool {
	for s = strings.Trim(s, "\ufeff \r\n\t"); s != ""; s = strings.TrimLeft(s, " \r\n\t") {
		end := ">"
		switch {
		case strings.HasPrefix(s, "<!--"):
			end = "-->"
		case strings.HasPrefix(s, "<?"):
			end = "?>"
		case !strings.HasPrefix(s, "<!"):
			return false
		}
		_, rest, ok := strings.Cut(s, end)
		if !ok {
			return false
		}
		s = rest
	}
	return true
}
