package modelformat

import (
	"bytes"
	"strconv"
	"strings"
)

// detectOpenVINO recognises the XML half of OpenVINO's representation: a root
// element net with a name and a version, then layers.
func detectOpenVINO(f *File) (Result, bool) {
	i := bytes.Index(f.head[:min(len(f.head), 520)], []byte("<net "))
	if i < 0 || !bytes.HasPrefix(bytes.TrimLeft(f.head, "\ufeff \r\n\t"), []byte("<")) {
		return Result{}, false
	}
	head := string(f.head)
	tag, rest, ok := strings.Cut(head[i:], ">")
	if !ok || !strings.Contains(rest, "<layers") {
		return Result{}, false
	}
	version := xmlAttribute(tag, "version")
	if n, err := strconv.Atoi(version); err != nil || n < 2 || n > 64 {
		return Result{}, false
	}
	res := Result{Format: "openvino", Confidence: Certain}
	res.set(FactName, xmlAttribute(tag, "name"))
	res.set(FactFormatVersion, version)
	if base, ok := f.stem(".xml"); ok {
		if part, ok := relativePart(base + ".bin"); ok {
			res.Parts = append(res.Parts, Part{Path: part})
		}
	}
	return res, true
}

// xmlAttribute returns the value of an attribute of a tag.
func xmlAttribute(tag, name string) string {
	_, rest, ok := strings.Cut(tag, " "+name+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
