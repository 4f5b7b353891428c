package files

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/modelformat"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Ollama's store: manifests/<registry>/<namespace>/<model>/<tag> name layers by
// digest, blobs/sha256-<digest> hold them. The name comes from the manifest,
// the format from the blob. Source:
// https://github.com/ollama/ollama/blob/main/docs/import.md and server/manifest.go.

const (
	ollamaMaxManifests = 4096
	ollamaMaxManifest  = 256 << 10 // bytes
	ollamaMaxLayers    = 16        // kept of one manifest
	ollamaLayer        = "application/vnd.ollama.image."
	factTags           = "tags"
)

type ollamaManifest struct {
	name   string
	layers []ollamaBlobRef
}

// ollamaBlobRef is one layer of use: its kind and its digest as bare hex.
type ollamaBlobRef struct{ kind, digest string }

// parseManifest reads the layers that matter, at most ollamaMaxLayers.
func parseManifest(b []byte) ([]ollamaBlobRef, bool) {
	var m struct {
		Layers []struct {
			MediaType string `json:"mediaType"`
			Digest    string `json:"digest"`
		} `json:"layers"`
	}
	if json.Unmarshal(b, &m) != nil {
		return nil, false
	}
	var out []ollamaBlobRef
	for _, l := range m.Layers {
		kind, known := strings.CutPrefix(l.MediaType, ollamaLayer)
		digest, ok := strings.CutPrefix(l.Digest, "sha256:")
		if !known || !ok || !isHex(digest, 64) || len(out) >= ollamaMaxLayers {
			continue
		}
		switch kind {
		case "model", "projector", "adapter", "license":
			out = append(out, ollamaBlobRef{kind, digest})
		}
	}
	return out, len(out) > 0
}

// layer returns the digests of the layers of a kind.
func (m *ollamaManifest) layer(kind string) []string {
	var out []string
	for _, l := range m.layers {
		if l.kind == kind {
			out = append(out, l.digest)
		}
	}
	return out
}

// ollama reads a store; false where the folder is none after all.
func (k *worker) ollama(d *folder) bool {
	manifests := k.ollamaManifests(d)
	blobs, err := d.openBelow("blobs")
	if err != nil {
		k.skip(filepath.Join(d.path, "blobs"), skipReason(err))
		return true
	}
	defer blobs.close()
	if len(manifests) == 0 && !ollamaBlobs(d) {
		return false
	}
	for _, sub := range []string{"blobs", "manifests"} {
		if k.onFolder != nil {
			k.onFolder(filepath.Join(d.path, sub), 0)
		}
	}
	byDigest, second := make(map[string][]*ollamaManifest), make(map[string]bool)
	for i := range manifests {
		for _, h := range manifests[i].layer("model") {
			byDigest[h] = append(byDigest[h], &manifests[i])
		}
		for _, kind := range []string{"projector", "adapter"} {
			for _, h := range manifests[i].layer(kind) {
				second[h] = true
			}
		}
	}
	if err := blobs.each(func(e entry) bool {
		k.ollamaBlob(blobs, e, byDigest, second)
		return true
	}); err != nil {
		k.skip(blobs.path, skipReason(err))
	}
	return true
}

// ollamaBlobs says whether a store's blobs are named as Ollama names them.
func ollamaBlobs(store *folder) bool {
	d, err := store.openBelow("blobs") // a handle of its own: listing moves it
	if err != nil {
		return false
	}
	defer d.close()
	found := false
	err = d.each(func(e entry) bool {
		found = strings.HasPrefix(e.name, "sha256-")
		return !found
	})
	return err == nil && found
}

// ollamaBlob looks at one blob and reports it if it is a model.
func (k *worker) ollamaBlob(blobs *folder, e entry, byDigest map[string][]*ollamaManifest, second map[string]bool) {
	path := filepath.Join(blobs.path, e.name)
	switch e.kind {
	case kindFile, kindUnknown:
	case kindLink:
		k.link(blobs, e.name)
		return
	default:
		k.skip(path, cNotRegular)
		return
	}
	digest := strings.TrimPrefix(strings.TrimPrefix(e.name, "sha256-"), "sha256:")
	it, ok := k.inspect(blobs, e.name, path)
	if !ok || second[digest] && len(byDigest[digest]) == 0 {
		return // a projector or adapter is listed with its model
	}
	if isHex(digest, 64) {
		it.sha256 = digest
	}
	f := k.merge([]item{it}).file
	f.Store = "ollama"
	named := byDigest[digest]
	if len(named) == 0 && f.Problem == "" {
		f.Facts[factTags] = "none"
	}
	var tags []string
	for _, m := range named {
		tags = append(tags, m.name)
		for _, kind := range []string{"projector", "adapter"} {
			for _, h := range m.layer(kind) {
				k.addBlob(&f, blobs, h)
			}
		}
		if l := m.layer("license"); len(l) > 0 {
			setMissing(f.Facts, modelformat.FactLicense, k.licence(blobs, l[0]))
		}
	}
	if len(tags) > 0 {
		slices.Sort(tags)
		if n := f.Facts[modelformat.FactName]; n != "" {
			f.Facts["header_name"] = n
		}
		f.Facts[modelformat.FactName] = oneLine(tags[0])
		f.Facts[factTags] = oneLine(strings.Join(tags, ","))
	}
	k.deliver(signatures.KindModelFile, f)
}

func (k *worker) addBlob(f *signatures.File, blobs *folder, digest string) {
	name := "sha256-" + digest
	path := filepath.Join(blobs.path, name)
	if st, err := blobs.lstat(name); err == nil && st.kind == kindFile && !slices.Contains(f.Files, path) {
		f.Files = append(f.Files, path)
		f.Size += st.size
	}
}

// licence returns the first line of a licence text.
func (k *worker) licence(blobs *folder, digest string) string {
	b, ok := k.readSmall(blobs, "sha256-"+digest, maxSidecar)
	if !ok {
		return ""
	}
	for l := range strings.Lines(string(b)) {
		if l = oneLine(l); l != "" {
			return l
		}
	}
	return ""
}

// ollamaManifests reads the manifests below manifests/.
func (k *worker) ollamaManifests(d *folder) []ollamaManifest {
	var out []ollamaManifest
	k.manifestFolder(d, "manifests", 0, &out)
	return out
}

func (k *worker) manifestFolder(d *folder, rel string, depth int, out *[]ollamaManifest) {
	sub, err := d.openBelow(rel)
	if err != nil {
		k.skip(filepath.Join(d.path, rel), skipReason(err))
		return
	}
	defer sub.close()
	if depth > 0 && k.onFolder != nil {
		k.onFolder(sub.path, 1)
	}
	err = sub.each(func(e entry) bool {
		next := rel + "/" + e.name
		switch {
		case len(*out) >= ollamaMaxManifests:
			k.skip(filepath.Join(d.path, next), cTooMany)
			return false
		case e.kind == kindFolder && depth < 5:
			k.manifestFolder(d, next, depth+1, out)
		case e.kind == kindFile && depth >= 2:
			k.counts.add(cFiles)
			b, ok := k.readSmall(sub, e.name, ollamaMaxManifest)
			if layers, sound := parseManifest(b); ok && sound {
				*out = append(*out, ollamaManifest{ollamaName(strings.Split(next, "/")[1:]), layers})
			}
		}
		return true
	})
	if err != nil {
		k.skip(sub.path, skipReason(err))
	}
}

// ollamaName turns registry, namespace, model and tag into the name that the
// program shows.
func ollamaName(segments []string) string {
	n := len(segments)
	name := segments[:n-1]
	if name[0] == "registry.ollama.ai" {
		name = name[1:]
	}
	if len(name) > 1 && name[0] == "library" {
		name = name[1:]
	}
	return strings.Join(name, "/") + ":" + segments[n-1]
}
