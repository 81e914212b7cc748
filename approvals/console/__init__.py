"""What people see of a request. Nothing in here changes one."""
