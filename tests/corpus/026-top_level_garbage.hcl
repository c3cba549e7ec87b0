this is not a plan
