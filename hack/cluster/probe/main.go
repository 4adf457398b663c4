// Probe is a server for tests of the cluster: it answers with the address that a name has inside its pod.
package main

import (
	"fmt"
	"net"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		addresses, err := net.LookupHost(request.URL.Query().Get("name"))
		fmt.Fprintln(answer, addresses, err)
	})
	panic(http.ListenAndServe(":8080", nil))
}
