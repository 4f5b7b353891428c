package inspect

import (
	"os"
	"strings"
	"sync"
	"time"
)

// Pod is a Kubernetes pod as the node knows it.
type Pod struct {
	UID, Namespace, Name string
}

// podLogs is where the kubelet keeps a folder NAMESPACE_NAME_UID for each pod
// of the node
// (https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-location-node).
const podLogs = "/var/log/pods"

// maxPods bounds the pods of a node that are remembered; Kubernetes supports
// 110 on one.
const maxPods = 4096

// podListAge is how long a list without the pod asked for is believed.
const podListAge = 5 * time.Second

// Pods tells the names of pods from the folders that the kubelet makes, without
// asking the API server. It is safe for concurrent use.
type Pods struct {
	root string

	mu    sync.Mutex
	at    time.Time
	known map[string]Pod
}

// NewPods returns Pods that read below root; "" is the kubelet's folder.
func NewPods(root string) *Pods {
	if root == "" {
		root = podLogs
	}
	return &Pods{root: root}
}

// Find returns the pod with a UID; one whose folder is not there has the UID
// alone.
func (p *Pods) Find(uid string) Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pod, ok := p.known[uid]; ok {
		return pod
	}
	if time.Since(p.at) >= podListAge {
		p.list()
	}
	if pod, ok := p.known[uid]; ok {
		return pod
	}
	return Pod{UID: uid}
}

// list reads the folder anew. One that cannot be read has no pods: the UID is
// then all there is to tell.
func (p *Pods) list() {
	p.at = time.Now()
	p.known = make(map[string]Pod)
	folder, err := os.Open(p.root)
	if err != nil {
		return
	}
	defer folder.Close()
	for len(p.known) < maxPods {
		entries, err := folder.ReadDir(256)
		for _, entry := range entries {
			if pod, ok := parsePod(entry.Name()); ok && entry.IsDir() {
				p.known[pod.UID] = pod
			}
		}
		if err != nil { // the end, or as far as it goes
			return
		}
	}
}

// parsePod reads NAMESPACE_NAME_UID: none of the three has an underscore in it.
func parsePod(folder string) (Pod, bool) {
	parts := strings.Split(folder, "_")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || !isUID(parts[2]) {
		return Pod{}, false
	}
	return Pod{Namespace: parts[0], Name: parts[1], UID: parts[2]}, true
}
