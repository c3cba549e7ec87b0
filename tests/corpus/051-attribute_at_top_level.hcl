command = ["true"]
