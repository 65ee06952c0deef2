{"key_id": "demo-publisher-2026", "signature": "WIAfwT68gQnEFNU6ScKgwQFeSiW1yveEKP35cHhbZma8YnSCQqzRLPbpbRJ/NW8Wu4Y4d2nvoBKHHVdMBi92AA=="}
