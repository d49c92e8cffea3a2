def write_page(result, path, made): return path
