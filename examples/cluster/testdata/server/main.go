// The program in the image that lifecycle-test runs in pods. It answers / with the variable ANSWER, and /reach with "yes"
// when the address in the variable REACH accepts a connection; called as `server exit N` it ends with status N.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "exit" {
		status, err := strconv.Atoi(os.Args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(status)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, os.Getenv("ANSWER"))
	})
	http.HandleFunc("/reach", func(w http.ResponseWriter, _ *http.Request) {
		connection, err := net.DialTimeout("tcp", os.Getenv("REACH"), 2*time.Second)
		if err != nil {
			fmt.Fprintln(w, err)
			return
		}
		connection.Close()
		fmt.Fprintln(w, "yes")
	})
	fmt.Println("serving")
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	os.Exit(1)
}
