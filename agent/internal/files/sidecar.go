package files

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
	"github.com/gnomon-ai/gnomon/signatures"
)

// maxSidecar is how many bytes of a file beside a model are read.
const maxSidecar = 256 << 10

// sidecar is what config.json and adapter_config.json beside a model say, as
// the Hugging Face libraries write them.
type sidecar struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	NameOrPath    string   `json:"_name_or_path"`
	Quantization  struct {
		Method string `json:"quant_method"`
	} `json:"quantization_config"`
	PeftType  string         `json:"peft_type"`
	BaseModel string         `json:"base_model_name_or_path"`
	AutoMap   map[string]any `json:"auto_map"` // code that comes with the model
}

// sidecars reads them where the folder holds weights that need them.
func (k *worker) sidecars(b *batch) *sidecar {
	need := false
	for _, it := range b.items {
		switch it.res.Format {
		case "safetensors", "pytorch-zip", "pytorch-legacy", "keras-h5":
			need = true
		}
	}
	if !need || b.dir == nil {
		return nil
	}
	s := &sidecar{}
	config := k.readJSON(b.dir, "config.json", s)
	adapter := k.readJSON(b.dir, "adapter_config.json", s)
	if !config && !adapter {
		return nil
	}
	return s
}

// readJSON reads a small file of a folder into v; false where it cannot.
func (k *worker) readJSON(d *folder, name string, v any) bool {
	b, ok := k.readSmall(d, name, maxSidecar)
	return ok && json.Unmarshal(b, v) == nil
}

// readSmall reads a whole file of at most limit bytes.
func (k *worker) readSmall(d *folder, name string, limit int64) ([]byte, bool) {
	f, st, err := d.open(name)
	if err != nil {
		return nil, false // it need not be there
	}
	defer f.close()
	if st.size > limit {
		return nil, false
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, st.size))
	return b, err == nil
}

// addTo adds what is not known from the model's own header.
func (s *sidecar) addTo(f *signatures.File) {
	if s == nil {
		return
	}
	switch f.Format {
	case "safetensors", "pytorch-zip", "pytorch-legacy", "keras-h5":
	default:
		return
	}
	add := func(key, value string) {
		if value = oneLine(value); value != "" && f.Facts[key] == "" {
			f.Facts[key] = value
		}
	}
	if len(s.Architectures) > 0 {
		add(modelformat.FactArchitecture, s.Architectures[0])
	}
	add(modelformat.FactModelType, s.ModelType)
	add(modelformat.FactQuantization, s.Quantization.Method)
	add(modelformat.FactBaseModel, s.BaseModel)
	if s.PeftType != "" {
		add(modelformat.FactModelType, "adapter")
	}
	if !filepath.IsAbs(s.NameOrPath) {
		add(modelformat.FactName, s.NameOrPath)
	}
	if len(s.AutoMap) > 0 {
		add(modelformat.FactCode, "remote_code")
	}
}

// oneLine makes a value fit for a fact.
func oneLine(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	if len(s) > 256 {
		s = strings.ToValidUTF8(s[:256], "")
	}
	return s
}
