"""The domain: values and rules that hold for every vendor and every engine. No I/O, no framework, no vendor's word."""
