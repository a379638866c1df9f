"""The operations of the product. Each function does one."""
