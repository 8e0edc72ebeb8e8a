// Command oracle_go says what Go makes of texts that Istio's injector reads itself: one JSON object a line.
//
//	{"op":"kubelet","text":T}  -> {"minor":N} | {"error":S}   hashicorp/go-version, as Istio asks it of a kubelet
//	{"op":"prefix","text":T}   -> {"error":S}                 net/netip
//	{"op":"cidr","text":T}     -> {"error":S}                 net
//	{"op":"port","text":T}     -> {"error":S}                 strconv.ParseUint of 16 bits
//	{"op":"atoi","text":T}     -> {"error":S}                 strconv.Atoi
package main

import (
	"bufio"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/hashicorp/go-version"
)

type question struct {
	Op   string `json:"op"`
	Text string `json:"text"`
}

func fault(err error) map[string]any {
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"error": ""}
}

func ask(q question) map[string]any {
	switch q.Op {
	case "kubelet":
		found, err := version.NewVersion(q.Text)
		if err != nil {
			return fault(err)
		}
		return map[string]any{"minor": found.Segments()[1]}
	case "prefix":
		_, err := netip.ParsePrefix(q.Text)
		return fault(err)
	case "cidr":
		_, _, err := net.ParseCIDR(q.Text)
		return fault(err)
	case "port":
		_, err := strconv.ParseUint(q.Text, 10, 16)
		return fault(err)
	case "atoi":
		_, err := strconv.Atoi(q.Text)
		return fault(err)
	}
	return map[string]any{"error": "unknown op " + q.Op}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := encoder.Encode(ask(q)); err != nil {
			panic(err)
		}
	}
}
