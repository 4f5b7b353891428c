package files

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
	"github.com/gnomon-ai/gnomon/signatures"
)

// stores looks whether a folder is a store, reads it as one, and returns the
// folders that are still to be walked.
func (k *worker) stores(d *folder, folders []string) []string {
	has := func(n string) bool { return slices.Contains(folders, n) }
	switch {
	case has("manifests") && has("blobs"):
		if k.ollama(d) {
			return slices.DeleteFunc(folders, func(n string) bool { return n == "manifests" || n == "blobs" })
		}
	case has("snapshots") && strings.HasPrefix(filepath.Base(d.path), "models--"):
		k.huggingface(d)
		return slices.DeleteFunc(folders, func(n string) bool {
			return n == "snapshots" || n == "blobs" || n == "refs" || n == ".no_exist"
		})
	}
	return folders
}

// isBundle says whether a folder's name is that of a bundle.
func isBundle(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".mlmodelc", ".mlpackage":
		return true
	}
	return false
}

// bundle reports folders that are one model: Core ML's compiled and packaged
// ones. Their content is not looked at again.
func (k *worker) bundle(d *folder) bool {
	var format string
	var members []string
	switch strings.ToLower(filepath.Ext(d.path)) {
	case ".mlmodelc":
		format = "coreml-mlmodelc"
		members = []string{"coremldata.bin", "model.mil", "metadata.json", "model.espresso.net", "analytics/coremldata.bin", "weights/weight.bin", "model0/coremldata.bin"}
	case ".mlpackage":
		format = "coreml-mlpackage"
		members = []string{"Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"}
	default:
		return false
	}
	f := signatures.File{
		Path: d.path, ModTime: d.stat.mtime, Format: format, Confidence: modelformat.Certain,
		Facts: map[string]string{modelformat.FactFramework: "coreml", modelformat.FactName: strings.TrimSuffix(filepath.Base(d.path), filepath.Ext(d.path))},
		Owner: k.owners.name(d.stat.owner),
	}
	for _, m := range members {
		k.bundleMember(d, m, &f)
	}
	if len(f.Files) == 0 {
		return false
	}
	k.counts.add(cModels)
	k.deliver(signatures.KindModelFile, f)
	return true
}

// bundleMember adds a file of a bundle and what its header says.
func (k *worker) bundleMember(d *folder, rel string, f *signatures.File) {
	dir, name := d, rel
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		sub, err := d.openBelow(rel[:i])
		if err != nil {
			return // not every bundle has every member
		}
		defer sub.close()
		dir, name = sub, rel[i+1:]
	}
	st, err := dir.lstat(name)
	if err != nil || st.kind != kindFile {
		return
	}
	path := filepath.Join(dir.path, name)
	f.Files = append(f.Files, path)
	f.Size += st.size
	if name != "model.mlmodel" {
		return
	}
	it, err := k.readOnce(dir, name, path)
	if err != nil {
		k.skip(path, skipReason(err))
		return
	}
	for key, v := range it.res.Facts {
		if f.Facts[key] == "" {
			f.Facts[key] = v
		}
	}
}

// placeStore recognises stores that are plain folders: LM Studio keeps models
// as <publisher>/<repository>/<file> below .lmstudio/models, earlier
// .cache/lm-studio/models. Source: https://lmstudio.ai/docs/app/advanced/import-model.
func placeStore(f *signatures.File) {
	if f.Store != "" {
		return
	}
	path := filepath.ToSlash(f.Path)
	for _, at := range []string{"/.lmstudio/models/", "/.cache/lm-studio/models/"} {
		_, rest, ok := strings.Cut(path, at)
		if !ok {
			continue
		}
		f.Store = "lmstudio"
		if s := strings.Split(rest, "/"); len(s) >= 3 {
			setMissing(f.Facts, modelformat.FactOrganization, s[0])
			setMissing(f.Facts, modelformat.FactName, s[1])
		}
	}
}

// setMissing sets a fact that is not known yet.
func setMissing(facts map[string]string, key, value string) {
	if value = oneLine(value); value != "" && facts[key] == "" {
		facts[key] = value
	}
}

// isHex says whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
