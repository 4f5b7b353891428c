package modelformat

import (
	"strings"
)

// mediaPipeMaxMembers is how many members a task bundle has at most: models, a
// tokenizer and metadata.
const mediaPipeMaxMembers = 64

// detectMediaPipe recognises MediaPipe's task bundles: a zip without folders in
// which TensorFlow Lite models lie. A zip that somebody made of such models is
// one by structure too; so without the name .task it needs a member of the
// bundles of language models. Source:
// https://ai.google.dev/gemma/docs/conversions/hf-to-mediapipe-task.
func detectMediaPipe(f *File) (Result, bool) {
	z := f.archive()
	if z == nil || z.more || len(z.members) > mediaPipeMaxMembers {
		return Result{}, false
	}
	models, language := 0, false
	for i := range z.members {
		m := &z.members[i]
		if strings.ContainsAny(m.name, `/\`) {
			return Result{}, false
		}
		inside := flatIdentifier(f, m) == "TFL3"
		if inside {
			models++
		}
		language = language || inside && strings.HasPrefix(m.name, "TF_LITE_") && z.has("TOKENIZER_MODEL")
	}
	if models == 0 || !language && f.ext() != ".task" {
		return Result{}, false
	}
	res := Result{Format: "mediapipe-task", Confidence: Certain}
	res.set(FactFramework, "mediapipe")
	res.set(FactEmbeddedFormat, "tflite")
	return res, true
}

// flatIdentifier returns the file identifier of a member that is stored as it
// is, "" for others: models are stored so that they can be mapped.
func flatIdentifier(f *File, m *zipMember) string {
	if m.method != 0 || m.size < 12 {
		return ""
	}
	off, end, ok := f.memberData(m)
	if !ok || end-off < 8 {
		return ""
	}
	var b [8]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		return ""
	}
	return string(b[4:])
}
