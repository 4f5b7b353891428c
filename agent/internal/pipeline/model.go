package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Model reads the facts of a model file into their fields. Values are bounded;
// facts without a field stay on the host.
func Model(file *signatures.File) finding.Model {
	fact := func(keys ...string) string {
		for _, key := range keys {
			if v := strings.TrimSpace(file.Facts[key]); v != "" {
				return cut(v)
			}
		}
		return ""
	}
	// A count that is no number is left out.
	parameters, _ := strconv.ParseUint(fact("parameters"), 10, 64)
	m := finding.Model{
		Path: file.Path, Format: file.Format, Store: file.Store, SHA256: file.SHA256, Problem: cut(file.Problem),
		Name: fact("name"), Architecture: fact("architecture"), Family: fact("family", "architecture"),
		Publisher: fact("publisher", "organization", "author"), License: fact("license"),
		Quantization: fact("quantization"), Parameters: parameters,
	}
	if file.Size > 0 {
		m.SizeBytes = uint64(file.Size)
	}
	return m
}

// family fills in what the catalogue knows of a model by its name. The file's own
// facts win; its architecture, which stands in for a family that it does not
// name, does not: many a family has the architecture of another.
func (p *Pipeline) family(f *finding.Finding, file *signatures.File) {
	stand := ""
	if strings.TrimSpace(file.Facts["family"]) == "" {
		stand, f.Model.Family = f.Model.Family, ""
	}
	genai.FillFamily(p.deps.Set, f, ModelName(&f.Model))
	if f.Model.Family == "" {
		f.Model.Family = stand
	}
}

// ModelKey is the asset key of a model file, see the package comment.
func ModelKey(file *signatures.File) string {
	if file.SHA256 != "" {
		return "model:sha256:" + file.SHA256
	}
	m := Model(file)
	if m.Publisher != "" && m.Name != "" {
		return "model:" + slug(m.Publisher) + "/" + slug(m.Name)
	}
	// %q keeps the fields apart whatever they hold.
	text := fmt.Appendf(nil, "%q %d", file.Format, file.Size)
	if len(file.Facts) == 0 {
		text = fmt.Appendf(text, " %q", base(file.Path))
	}
	for _, key := range slices.Sorted(maps.Keys(file.Facts)) {
		text = fmt.Appendf(text, " %q=%q", key, file.Facts[key])
	}
	sum := sha256.Sum256(text)
	return "model:header:" + hex.EncodeToString(sum[:16])
}

// ModelName is what a person calls the model: its own name, else its file's.
func ModelName(m *finding.Model) string {
	if m.Name != "" {
		return m.Name
	}
	return cut(base(m.Path))
}

// slug lower-cases s and writes every run of white space and "/" as one "-".
func slug(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return r == '/' || r == ' ' || r == '\t' || r == '\n' || r == '\r'
	}), "-")
}
