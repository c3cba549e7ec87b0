run:
  - name: a
    command: ["true"]
