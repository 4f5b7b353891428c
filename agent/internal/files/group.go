package files

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Names by which libraries split one model over several files.
var (
	shardName  = regexp.MustCompile(`^(.+)-(\d{5,6})-of-(\d{5,6})(\.[A-Za-z0-9_.]+)?$`) // transformers, llama.cpp
	bundleData = regexp.MustCompile(`^(.+)\.data-(\d{5})-of-(\d{5})$`)                  // TensorFlow checkpoints
	tfjsShard  = regexp.MustCompile(`^group\d+-shard\d+of\d+(\.bin)?$`)                 // TensorFlow.js
)

const factPartOf = "part_of"

// looseName says whether a file has a name that only parts of a model have.
// Most names fail on the first look.
func looseName(name string) bool {
	return strings.Contains(name, ".data-") && bundleData.MatchString(name) || strings.HasPrefix(name, "group") && tfjsShard.MatchString(name)
}

// looseParts adds the parts of models that no header of the folder names: raw
// data, known by name and place alone.
func (k *worker) looseParts(j job, b *batch) {
	claimed := make(map[string]bool)
	for _, it := range b.items {
		for _, p := range it.res.Parts {
			claimed[p.Path] = true
		}
	}
	for _, name := range b.loose {
		if claimed[name] {
			continue
		}
		st, err := b.dir.lstat(name)
		if err != nil || st.kind != kindFile {
			continue
		}
		res, ok := k.looseResult(j, b.dir, name)
		if !ok {
			continue
		}
		b.items = slices.DeleteFunc(b.items, func(it item) bool { return it.name == name })
		k.counts.add(cModels)
		b.items = append(b.items, item{name: name, path: filepath.Join(b.dir.path, name), st: st, res: res})
	}
}

func (k *worker) looseResult(j job, d *folder, name string) (modelformat.Result, bool) {
	if tfjsShard.MatchString(name) {
		return modelformat.Result{Format: "tfjs-weights", Confidence: modelformat.Weak, Problem: "the model.json that names it is missing"}, true
	}
	if filepath.Base(d.path) != "variables" {
		return modelformat.Result{}, false
	}
	res := modelformat.Result{Format: "tf-checkpoint-data", Confidence: modelformat.Weak, Problem: "its index is missing"}
	i := strings.LastIndexByte(j.rel, '/')
	if i < 0 {
		return res, true
	}
	if up, err := j.root.dir.openBelow(j.rel[:i]); err == nil {
		defer up.close()
		if st, err := up.lstat("saved_model.pb"); err == nil && st.kind == kindFile {
			res.Facts = map[string]string{factPartOf: filepath.Join(up.path, "saved_model.pb")}
		}
	}
	return res, true
}

// report groups what a folder holds and hands it on, one observation a model.
func (k *worker) report(b *batch) {
	if len(b.items) == 0 {
		return
	}
	claimed := make(map[string]bool)
	for _, it := range b.items {
		for _, p := range it.res.Parts {
			claimed[p.Path] = true
		}
	}
	b.items = slices.DeleteFunc(b.items, func(it item) bool { return claimed[it.name] })
	side := k.sidecars(b)
	for _, f := range k.group(b.items) {
		k.parts(b.dir, &f)
		side.addTo(&f.file)
		placeStore(&f.file)
		k.deliver(signatures.KindModelFile, f.file)
	}
}

// found is one model on its way out.
type found struct {
	file  signatures.File
	parts []modelformat.Part
	owner uint32
}

// group makes one found of each model: of shards with one stem, of single
// files. Order follows the names.
func (k *worker) group(items []item) []found {
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.path, b.path) })
	var out []found
	for i := 0; i < len(items); {
		n := shardRun(items[i:])
		out = append(out, k.merge(items[i:i+n]))
		i += n
	}
	return out
}

// shardRun returns how many items from the first on are shards of one model.
func shardRun(items []item) int {
	m := shardName.FindStringSubmatch(items[0].name)
	if m == nil {
		return 1
	}
	n := 1
	for n < len(items) {
		o := shardName.FindStringSubmatch(items[n].name)
		if o == nil || o[1] != m[1] || o[3] != m[3] || o[4] != m[4] || items[n].res.Format != items[0].res.Format ||
			filepath.Dir(items[n].path) != filepath.Dir(items[0].path) {
			break
		}
		n++
	}
	return n
}

// merge makes one file of a model's items.
func (k *worker) merge(items []item) found {
	first := items[0]
	f := signatures.File{
		Path: first.path, Size: first.st.size, ModTime: first.st.mtime, Format: first.res.Format, Problem: first.res.Problem,
		Confidence: first.res.Confidence, Facts: maps.Clone(first.res.Facts), SHA256: first.sha256,
		Files: slices.Clone(first.more), Owner: k.owners.name(first.st.owner),
	}
	if f.Facts == nil {
		f.Facts = make(map[string]string)
	}
	parts := first.res.Parts
	for _, it := range items[1:] {
		f.Size += it.st.size
		f.Files = append(append(f.Files, it.path), it.more...)
		f.SHA256 = "" // one file's digest is not the model's
		if it.st.mtime.After(f.ModTime) {
			f.ModTime = it.st.mtime
		}
		if it.res.Problem != "" && f.Problem == "" {
			f.Problem, f.Confidence = it.name+": "+it.res.Problem, it.res.Confidence
		}
		addNumbers(f.Facts, it.res.Facts, modelformat.FactParameters)
		addNumbers(f.Facts, it.res.Facts, modelformat.FactTensors)
	}
	if m := shardName.FindStringSubmatch(first.name); m != nil && f.Format != "tf-checkpoint-v1" {
		total, _ := strconv.Atoi(m[3]) // digits by the expression
		f.Facts[modelformat.FactShards] = strconv.Itoa(total)
		if len(items) < total && f.Problem == "" {
			f.Problem = fmt.Sprintf("%d of %d shards are here", len(items), total)
		}
	}
	return found{file: f, parts: parts, owner: first.st.owner}
}

// addNumbers adds a decimal fact of one shard to another's.
func addNumbers(into, from map[string]string, key string) {
	a, err1 := strconv.ParseUint(into[key], 10, 64)
	b, err2 := strconv.ParseUint(from[key], 10, 64)
	if err1 == nil && err2 == nil && a <= 1<<62 && b <= 1<<62 {
		into[key] = strconv.FormatUint(a+b, 10)
	}
}

// parts looks for the files that a header names: pieces of the same model
// become Files, those with a format of their own an observation of their own.
func (k *worker) parts(d *folder, f *found) {
	for _, p := range f.parts {
		dir, name := d, p.Path
		if i := strings.LastIndexByte(p.Path, '/'); i >= 0 {
			sub, err := d.openBelow(p.Path[:i])
			if err != nil {
				continue // what the header names need not be there
			}
			dir, name = sub, p.Path[i+1:]
		}
		st, err := dir.lstat(name)
		if dir != d {
			dir.close()
		}
		if err != nil || st.kind != kindFile {
			continue
		}
		path := filepath.Join(dir.path, name)
		if p.Format == "" {
			f.file.Files = append(f.file.Files, path)
			f.file.Size += st.size
			continue
		}
		k.counts.add(cModels)
		k.deliver(signatures.KindModelFile, signatures.File{
			Path: path, Size: st.size, ModTime: st.mtime, Format: p.Format, Confidence: modelformat.Likely,
			Facts: map[string]string{factPartOf: f.file.Path}, Owner: k.owners.name(st.owner),
		})
	}
}

// deliver hands one file on unless the memory says that it was reported.
func (w *walker) deliver(kind signatures.Kind, f signatures.File) {
	now := w.now()
	if w.memory != nil {
		switch w.memory.report(kind, &f, now, w.cfg.MaxModels) {
		case reportNot:
			w.counts.add(cUnchanged)
			return
		case reportAgain:
			w.counts.add(cRepeated)
		case reportUntracked:
			w.skip(f.Path, cTooMany)
		}
	}
	w.counts.add(cEmitted)
	w.emit(signatures.Observation{Sensor: Name, Kind: kind, Time: now, File: f})
}
