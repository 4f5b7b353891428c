// Package modelformat decides from its content which model format a file is
// in and reads the facts of its header.
//
// Every parser is pure: bytes in, a Result out. It loads no model, executes no
// pickle, follows no reference to another file, keeps no state, starts no
// goroutine and logs nothing. Lengths and counts of the file are compared with
// what is left of it before they are used and never size an allocation; what a
// parser reads is bounded by Options.Budget.
//
// The package imports the standard library alone. It does not walk folders,
// does not group shards and does not know stores: package files does.
//
// A format is one file with a Detector, one test with a fuzz target, and one
// line in the list detectors. Formats follow the public specifications that
// the head of each file names.
package modelformat

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// DefaultBudget is how many bytes are read of one file when Options names no
// other figure. Most formats are decided on the first 4 KiB; only a GGUF or
// safetensors header with a vocabulary or thousands of tensors comes near it.
const DefaultBudget = 12 << 20

// HeadSize is how many bytes are read of a file before any parser runs.
const HeadSize = 4096

// MinSize is the size in bytes below which no file is a model of any format
// known here.
const MinSize = 16

// Confidence that a file holds a model of the format named, 1 to 100.
const (
	Certain = 100 // magic and structure agree
	Likely  = 80  // structure agrees, the format has no magic of its own
	Guess   = 60  // few bytes to go by
	Weak    = 40  // the magic is there and the rest is damaged, or only the name says so
	Slight  = 20  // sound data of a kind that may hold a model, with no sign that it does
)

// Result is what the content of one file proves.
type Result struct {
	Format     string // name of the format, see the list detectors
	Confidence uint8  // 1 to 100
	Problem    string // why the content is not sound, "" where it is

	// Data says that the format is sound but that nothing shows a model in it:
	// a pickle of plain values, an array file.
	Data bool

	// Facts are header facts under the keys Fact…; values are cleaned, valid
	// UTF-8 and at most 256 bytes long.
	Facts map[string]string

	// Parts are files that the header names as belonging to the model, relative
	// to the file's folder. They come from the file: whoever opens one must
	// check that it lies where it may.
	Parts []Part
}

// Part is a file that belongs to a model.
type Part struct {
	Path   string // relative, slash-separated, never absolute and without ".."
	Format string // format of its own, "" where it is a piece of the same model
}

// Keys of Result.Facts.
const (
	FactArchitecture    = "architecture"
	FactName            = "name"
	FactVersion         = "version"
	FactOrganization    = "organization"
	FactSizeLabel       = "size_label"
	FactLicense         = "license"
	FactQuantization    = "quantization"
	FactParameters      = "parameters" // decimal number of weights
	FactTensors         = "tensors"    // decimal number of tensors
	FactDTypes          = "dtypes"
	FactBaseModel       = "base_model"
	FactFormatVersion   = "format_version"
	FactProducer        = "producer"
	FactProducerVersion = "producer_version"
	FactOpset           = "opset"
	FactFramework       = "framework"
	FactDescription     = "description"
	FactObjective       = "objective"
	FactTags            = "tags"
	FactChatTemplate    = "chat_template"     // "yes": a template that is run as code
	FactImports         = "imports"           // modules that a pickle names
	FactRiskImports     = "risk_imports"      // imports of a pickle outside the allow-list
	FactCode            = "code"              // what else runs on loading
	FactHeader          = "header"            // "partial" where the budget ended before the header did
	FactAlso            = "also"              // further formats that the same bytes satisfy
	FactByteOrder       = "byte_order"        // "big" where it is
	FactShards          = "shards"            // how many files the model is split into
	FactExternalData    = "external_data"     // "yes": weights lie in other files
	FactTorchScript     = "torchscript"       // "yes"
	FactModelType       = "model_type"        // as config.json says
	FactCompression     = "compression"       // of the file as a whole
	FactTargetPlatform  = "target_platform"   // hardware the model is built for
	FactClass           = "class"             // class of the model's root object
	FactSignatures      = "signatures"        // names of the signatures of a SavedModel
	FactEmbeddedFormat  = "embedded"          // format of a model inside a container
	FactUnresolved      = "unresolved_import" // "yes": an import whose name is computed
)

// Options are the limits of one Identifier.
type Options struct {
	Budget int64 // bytes read of one file at most; 0 means DefaultBudget
}

// Detector recognises one format. Detect returns false when the file is not of
// that format; it may be called with any bytes at all.
type Detector struct {
	Name   string
	Detect func(*File) (Result, bool)
}

// ErrChanged says that a file became shorter while it was read. Identify it
// again when it has come to rest.
var ErrChanged = errors.New("file changed while it was read")

// Formats returns the names of the detectors in the order they are asked.
func Formats() []string {
	names := make([]string, len(detectors))
	for i, d := range detectors {
		names[i] = d.Name
	}
	return names
}

// Identifier holds the buffers of one reader. It is not safe for concurrent
// use; every worker has its own.
type Identifier struct {
	budget int64
	file   File
	head   [HeadSize]byte
}

// NewIdentifier returns an Identifier with the limits of o.
func NewIdentifier(o Options) *Identifier {
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	return &Identifier{budget: max(o.Budget, HeadSize)}
}

// Identify decides on the size bytes of r. The path is used for its name
// alone, by the few formats whose content is not enough, and is never opened.
// A zero Result means that no format fits. The error is that of r, or
// ErrChanged.
func (d *Identifier) Identify(r io.ReaderAt, size int64, path string) (Result, error) {
	if size < MinSize {
		return Result{}, nil
	}
	n := int(min(size, HeadSize))
	got, err := r.ReadAt(d.head[:n], 0)
	if got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = ErrChanged
		}
		return Result{}, fmt.Errorf("reading head: %w", err)
	}
	base := baseName(path)
	d.file = File{r: r, size: size, base: base, name: strings.ToLower(base), head: d.head[:n], left: d.budget - int64(n)}
	f := &d.file
	defer func() { d.file = File{} }()
	for i := range detectors {
		res, ok := detectors[i].Detect(f)
		if !ok {
			continue
		}
		if f.failure != nil {
			return Result{}, f.failure
		}
		return finish(f, res), nil
	}
	return Result{}, f.failure
}

// Identify is Identifier.Identify with the default limits.
func Identify(r io.ReaderAt, size int64, path string) (Result, error) {
	return NewIdentifier(Options{}).Identify(r, size, path)
}

// finish fills in what holds for every format.
func finish(f *File, res Result) Result {
	if res.Confidence == 0 {
		res.Confidence = Certain
	}
	if f.cut {
		res.set(FactHeader, "partial")
	}
	return res
}

// set records a fact, cleaned; an empty value is left out.
func (r *Result) set(key, value string) {
	value = clean(value)
	if value == "" {
		return
	}
	if r.Facts == nil {
		r.Facts = make(map[string]string, 8)
	}
	r.Facts[key] = value
}

// damaged marks a result whose content is not sound.
func (r *Result) damaged(problem string) {
	r.Problem = clean(problem)
	r.Confidence = Weak
}
